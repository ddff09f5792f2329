// SPDX-License-Identifier: Apache-2.0
// Opens the details of an event below its row. Without JavaScript, the link in the row leads to the event's page.

const MAX_WAIT_MILLISECONDS = 60_000;

function prepare(row) {
  const link = row.querySelector(".time a");
  if (!link || row.querySelector(".expand")) {
    return;
  }
  const button = document.createElement("button");
  button.type = "button";
  button.className = "expand";
  button.setAttribute("aria-expanded", "false");
  button.setAttribute("aria-label", `Details of ${row.querySelector(".type").textContent.trim().slice(0, 100)}`);
  link.before(button);
}

async function toggle(row) {
  const button = row.querySelector(".expand");
  const isOpen = button.getAttribute("aria-expanded") === "true";
  button.setAttribute("aria-expanded", String(!isOpen));
  let details = row.nextElementSibling;
  if (details?.classList.contains("details")) {
    details.hidden = isOpen;
    return;
  }
  details = document.createElement("tr");
  details.className = "details";
  const cell = details.insertCell();
  cell.colSpan = row.cells.length;
  cell.textContent = "Loading …";
  row.after(details);
  const url = new URL(row.querySelector(".time a").href);
  url.searchParams.set("fragment", "1");
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(MAX_WAIT_MILLISECONDS) });
    if (!response.ok || response.redirected) {
      throw new Error(response.redirected ? "You are signed out." : `The server answered ${response.status}.`);
    }
    cell.innerHTML = await response.text();
    cell.dispatchEvent(new CustomEvent("panko:added", { bubbles: true }));
  } catch (error) {
    cell.textContent = `The event could not be loaded. ${error.name === "Error" ? error.message : "The server does not answer."}`;
    // The next click tries again.
    button.addEventListener("click", () => details.remove(), { once: true });
  }
}

function showWholeText(event) {
  const cell = event.target.closest?.(".row > td");
  if (cell && !cell.title && cell.scrollWidth > cell.clientWidth) {
    cell.title = cell.textContent.trim().slice(0, 1000);
  }
}

const rows = document.getElementById("rows");
if (rows) {
  rows.querySelectorAll(".row").forEach(prepare);
  rows.addEventListener("panko:added", (event) => event.target.matches(".row") && prepare(event.target));
  rows.addEventListener("click", (event) => {
    const row = event.target.closest(".row");
    if (row && (event.target.closest(".expand") || !(event.target.closest("a, button") || String(getSelection())))) {
      toggle(row);
    }
  });
  rows.addEventListener("mouseover", showWholeText);
}
