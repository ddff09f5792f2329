// SPDX-License-Identifier: Apache-2.0
// Loads the parts of a page that take longer than the table: each element with data-part gets the HTML of its data-url.
// Other modules learn of new contents by the event "panko:added", whose target is the element with them.

const MAX_WAIT_MILLISECONDS = 90_000;

async function load(part) {
  part.setAttribute("aria-busy", "true");
  try {
    const response = await fetch(part.dataset.url, { signal: AbortSignal.timeout(MAX_WAIT_MILLISECONDS) });
    const text = await response.text();
    if (response.status === 401 || response.redirected) {
      fail(part, "You are signed out.");
    } else if (!response.ok && response.status !== 400) {
      // It may come from a proxy, which sends a whole page. Only a part that says what is wrong with the filter is ours.
      const isText = (response.headers.get("Content-Type") ?? "").startsWith("text/plain");
      fail(part, isText && text.length < 300 && text ? text : `The server answered ${response.status}.`);
    } else {
      part.innerHTML = text;
      part.dispatchEvent(new CustomEvent("panko:added", { bubbles: true }));
      const said = part.querySelector("[data-announce]");
      if (said) {
        document.dispatchEvent(new CustomEvent("panko:announce", { detail: said.textContent.trim() }));
      }
    }
  } catch (error) {
    fail(part, error.name === "TimeoutError" ? "It takes too long." : "The server does not answer.");
  }
  part.removeAttribute("aria-busy");
}

function fail(part, reason) {
  const message = document.createElement("p");
  message.className = "failed";
  message.textContent = `${reason} `;
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Try again";
  button.addEventListener("click", () => load(part));
  message.append(button);
  part.replaceChildren(message);
}

for (const part of document.querySelectorAll("[data-part][data-url]")) {
  load(part);
}
