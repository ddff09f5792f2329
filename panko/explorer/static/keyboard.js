// SPDX-License-Identifier: Apache-2.0
// The keys of the search page; "?" shows them.

const KEYS = [
  ["/", "go to the filter"],
  ["j or ↓", "next event"],
  ["k or ↑", "previous event"],
  ["Enter", "open or close the event's details"],
  ["o", "open the event's page"],
  ["n", "older events"],
  ["p", "newer events"],
  ["l", "live tail on or off"],
  ["Esc", "close what is open, leave the filter"],
  ["?", "show these keys"],
];

const help = document.createElement("dialog");
help.className = "help";
help.setAttribute("aria-labelledby", "help-title");

function buildHelp() {
  const title = document.createElement("h2");
  title.id = "help-title";
  title.textContent = "Keys";
  const list = document.createElement("dl");
  for (const [key, meaning] of KEYS) {
    const term = document.createElement("dt");
    const kbd = document.createElement("kbd");
    kbd.textContent = key;
    term.append(kbd);
    const description = document.createElement("dd");
    description.textContent = meaning;
    list.append(term, description);
  }
  const form = document.createElement("form");
  form.method = "dialog";
  const close = document.createElement("button");
  close.textContent = "Close";
  form.append(close);
  help.append(title, list, form);
  document.body.append(help);
  const button = document.createElement("button");
  button.type = "button";
  button.className = "plain";
  button.textContent = "Keys";
  button.addEventListener("click", () => help.showModal());
  document.getElementById("zone")?.after(button);
}

const actions = {
  "/": () => focus(document.getElementById("search")),
  "j": () => move(1),
  "k": () => move(-1),
  "ArrowDown": () => isInRows() && move(1),
  "ArrowUp": () => isInRows() && move(-1),
  "o": () => document.activeElement.closest(".row")?.querySelector(".time a")?.click(),
  "n": () => document.querySelector(".pages [rel='next']")?.click(),
  "p": () => document.querySelector(".pages [rel='prev']")?.click(),
  "l": () => document.getElementById("tail")?.click(),
  "?": () => help.showModal(),
  "Escape": () => closeDetails(),
};

function isInRows() {
  return document.activeElement.closest("#rows") !== null;
}

function focus(element) {
  element?.focus();
  element?.select?.();
  return element !== null;
}

function move(step) {
  const buttons = [...document.querySelectorAll("#rows .expand")];
  const current = buttons.indexOf(currentRow()?.querySelector(".expand"));
  const next = buttons[Math.min(Math.max(current + step, 0), buttons.length - 1)];
  next?.focus({ preventScroll: true });
  next?.closest(".row").scrollIntoView({ block: "nearest" });
}

function currentRow() {
  const row = document.activeElement.closest("#rows > tr");
  return row?.classList.contains("details") ? row.previousElementSibling : row;
}

function closeDetails() {
  const button = currentRow()?.querySelector(".expand[aria-expanded='true']");
  button?.click();
  button?.focus();
}

document.addEventListener("keydown", (event) => {
  const isText = event.target.matches("input, textarea, select");
  if (event.key === "Escape" && isText) {
    event.target.blur();
  } else if (!isText && !event.ctrlKey && !event.metaKey && !event.altKey && !help.open && Object.hasOwn(actions, event.key)) {
    if (actions[event.key]() !== false) {
      event.preventDefault();
    }
  }
});

buildHelp();
