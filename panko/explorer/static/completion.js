// SPDX-License-Identifier: Apache-2.0
// Completion of the filter in the search box: a combobox by the pattern of the ARIA Authoring Practices Guide.

const DELAY_MILLISECONDS = 120;
const MAX_WAIT_MILLISECONDS = 15_000;
const URL_PATH = "/explorer/complete";

const input = document.getElementById("search");
const list = document.createElement("ul");

let options = [];
let range = [0, 0];
let answered = "";
let active = -1;
let timer = 0;
let request = null;

// The server counts characters, JavaScript counts UTF-16 units.
const toCharacters = (text, units) => [...text.slice(0, units)].length;
const toUnits = (text, characters) => [...text].slice(0, characters).join("").length;

async function ask() {
  request?.abort();
  request = new AbortController();
  const { signal } = request;
  const text = input.value;
  const position = toCharacters(text, input.selectionStart ?? text.length);
  const page = new URLSearchParams(location.search);
  const query = new URLSearchParams({ text, position });
  for (const [name, value] of page) {
    if (["filter", "range", "start", "end", "projects"].includes(name)) {
      query.append(name, value);
    }
  }
  try {
    const timeout = AbortSignal.timeout(MAX_WAIT_MILLISECONDS);
    const response = await fetch(`${URL_PATH}?${query}`, { signal: AbortSignal.any([signal, timeout]) });
    if (!response.ok || response.redirected) {
      return close();
    }
    const answer = await response.json();
    if (!signal.aborted && document.activeElement === input && input.value === text) {
      answered = text;
      range = [toUnits(text, answer.from), toUnits(text, answer.to)];
      open(answer.options);
    }
  } catch {
    if (!signal.aborted) {
      close(); // Without an answer, there is no completion.
    }
  }
}

function open(found) {
  const typed = input.value.slice(...range);
  options = found.filter((option) => option.text !== typed);
  active = -1;
  list.replaceChildren(...options.map(makeOption));
  list.hidden = options.length === 0;
  input.setAttribute("aria-expanded", String(!list.hidden));
  input.removeAttribute("aria-activedescendant");
}

// Until the server answers, what is typed narrows down the options that are shown: they must fit the text when accepted.
function narrow() {
  const text = input.value;
  const [from, to] = [range[0], range[1] + text.length - answered.length];
  if (list.hidden || to < from || text.slice(0, from) !== answered.slice(0, from)) {
    return open([]);
  }
  const typed = text.slice(from, to).toLowerCase();
  answered = text;
  range = [from, to];
  open(options.filter((option) => option.text.toLowerCase().includes(typed)));
}

function makeOption(option, index) {
  const item = document.createElement("li");
  item.id = `option-${index}`;
  item.role = "option";
  item.ariaSelected = "false";
  const text = document.createElement("bdi");
  text.textContent = option.text;
  const kind = document.createElement("span");
  kind.textContent = option.kind;
  item.append(text, " ", kind);
  item.addEventListener("mousedown", (event) => event.preventDefault()); // The focus stays in the input.
  item.addEventListener("click", () => accept(index));
  return item;
}

function close() {
  clearTimeout(timer);
  request?.abort();
  open([]);
}

function activate(index) {
  list.children[active]?.setAttribute("aria-selected", "false");
  active = (index + options.length) % options.length;
  const item = list.children[active];
  item.setAttribute("aria-selected", "true");
  item.scrollIntoView({ block: "nearest" });
  input.setAttribute("aria-activedescendant", item.id);
}

function accept(index) {
  const { text } = options[index];
  input.setRangeText(text, ...range, "end");
  close();
  schedule();
}

function schedule() {
  clearTimeout(timer);
  timer = setTimeout(ask, DELAY_MILLISECONDS);
}

function press(event) {
  if (list.hidden) {
    if (event.key === "ArrowDown") {
      event.preventDefault();
      schedule();
    }
    return;
  }
  const keys = {
    ArrowDown: () => activate(active + 1),
    ArrowUp: () => activate(active < 0 ? options.length - 1 : active - 1),
    Enter: () => active >= 0 && accept(active),
    Tab: () => active >= 0 && accept(active),
    Escape: () => close(),
  };
  if (Object.hasOwn(keys, event.key) && keys[event.key]() !== false) {
    event.preventDefault();
    event.stopPropagation();
  }
}

if (input) {
  list.id = "options";
  list.className = "options";
  list.role = "listbox";
  list.ariaLabel = "Completions";
  list.hidden = true;
  input.after(list);
  for (const [name, value] of Object.entries({
    "role": "combobox", "aria-autocomplete": "list", "aria-expanded": "false", "aria-controls": "options",
  })) {
    input.setAttribute(name, value);
  }
  input.addEventListener("input", () => {
    narrow();
    schedule();
  });
  input.addEventListener("keydown", press);
  input.addEventListener("blur", close);
}
