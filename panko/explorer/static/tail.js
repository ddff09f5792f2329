// SPDX-License-Identifier: Apache-2.0
// Live tail: rows of new events appear in the table as they are stored. The browser connects again after an interruption.

const MAX_ROWS = 500;
const ANNOUNCE_MILLISECONDS = 5_000;

const button = document.getElementById("tail");
const rows = document.getElementById("rows");
const status = document.createElement("span");
const pause = document.createElement("button");

let source = null;
let waiting = [];
let added = 0;
let announced = 0;

function start() {
  source = new EventSource(button.dataset.url);
  source.addEventListener("open", () => say("Waiting for new events"));
  source.addEventListener("message", receive);
  source.addEventListener("gone", (event) => say(event.data));
  source.addEventListener("error", () => {
    if (source?.readyState === EventSource.CLOSED) {
      stop("Live tail has ended.");
      explain();
    } else if (source) {
      say("Connecting again …");
    }
  });
  button.setAttribute("aria-pressed", "true");
  pause.hidden = false;
  setPaused(false);
  say("Connecting …");
}

function stop(reason = "") {
  source?.close();
  source = null;
  waiting = [];
  button.setAttribute("aria-pressed", "false");
  pause.hidden = true;
  say(reason);
}

// An EventSource does not tell why it was refused.
async function explain() {
  const init = { method: "HEAD", headers: { Accept: "text/event-stream" }, signal: AbortSignal.timeout(10_000) };
  const code = await fetch(button.dataset.url, init).then((response) => response.status, () => 0);
  if (code === 401) {
    say("You are signed out. ");
    const link = document.createElement("a");
    link.href = location.href;
    link.textContent = "Sign in again";
    status.append(link);
  } else {
    say(code === 0 ? "Live tail has ended: the server does not answer." : "Live tail has ended: the server refused it.");
  }
}

function say(text) {
  status.textContent = text;
}

function receive(event) {
  const template = document.createElement("template");
  template.innerHTML = event.data;
  for (const row of template.content.querySelectorAll("tr.row")) {
    waiting.push(row);
  }
  waiting = waiting.slice(-MAX_ROWS);
  if (isPaused()) {
    pause.textContent = `Resume (${waiting.length} new)`;
  } else {
    show();
  }
}

function show() {
  for (const row of waiting) {
    if (!rows.querySelector(`[data-id="${CSS.escape(row.dataset.id)}"]`)) {
      insert(row);
      added += 1;
    }
  }
  waiting = [];
  trim();
  if (added) {
    say(`${added} new`);
  }
  if (added && Date.now() - announced > ANNOUNCE_MILLISECONDS) {
    announced = Date.now();
    document.dispatchEvent(new CustomEvent("panko:announce", { detail: `${added} new events` }));
  }
}

// The table stays sorted by time: services report some events late.
function insert(row) {
  const time = (each) => each.querySelector("time").dateTime;
  const next = [...rows.querySelectorAll(".row")].find((each) => time(each) <= time(row));
  row.classList.add("new");
  rows.insertBefore(row, next ?? null);
  document.getElementById("nothing")?.remove();
  row.dispatchEvent(new CustomEvent("panko:added", { bubbles: true }));
}

function trim() {
  const all = rows.querySelectorAll(".row");
  for (let index = all.length - 1; index >= MAX_ROWS; index -= 1) {
    const details = all[index].nextElementSibling;
    if (details?.classList.contains("details")) {
      details.remove();
    }
    all[index].remove();
  }
}

function isPaused() {
  return pause.getAttribute("aria-pressed") === "true";
}

function setPaused(isPausedNow) {
  pause.setAttribute("aria-pressed", String(isPausedNow));
  pause.textContent = isPausedNow ? "Resume" : "Pause";
  if (!isPausedNow) {
    show();
  }
}

if (button && rows) {
  button.hidden = false;
  button.setAttribute("aria-pressed", "false");
  pause.type = "button";
  pause.hidden = true;
  pause.id = "pause";
  status.className = "tail-status";
  button.after(pause, status);
  button.addEventListener("click", () => (source ? stop() : start()));
  pause.addEventListener("click", () => setPaused(!isPaused()));
  window.addEventListener("pagehide", () => stop());
}
