// SPDX-License-Identifier: Apache-2.0
// Tells screen readers what has changed: other modules send the event "panko:announce" with a text.

const announcer = document.getElementById("announcer");

document.addEventListener("panko:announce", (event) => {
  announcer.textContent = event.detail;
});
