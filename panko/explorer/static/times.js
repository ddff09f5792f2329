// SPDX-License-Identifier: Apache-2.0
// Shows times in UTC or in the zone of the browser, as the person chooses; the browser remembers the choice.

const KEY = "panko.zone";
const UTC = "UTC";
const BROWSER = Intl.DateTimeFormat().resolvedOptions().timeZone ?? UTC;
const PARTS = { year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit" };

const texts = new WeakMap();
let zone = remembered();

function remembered() {
  try {
    return localStorage.getItem(KEY) === "browser" ? BROWSER : UTC;
  } catch {
    return UTC; // The browser keeps nothing, such as in a private window.
  }
}

function remember() {
  try {
    localStorage.setItem(KEY, zone === UTC ? "utc" : "browser");
  } catch {
    // The choice holds for this page alone.
  }
}

// Like the server's text, which may leave out the date, the seconds or their fraction.
function format(time, text) {
  const stamp = time.dateTime ?? time.dataset.time;
  const date = new Date(stamp);
  const formatter = new Intl.DateTimeFormat("en-GB", { ...PARTS, hourCycle: "h23", fractionalSecondDigits: 3, timeZone: zone });
  const got = Object.fromEntries(formatter.formatToParts(date).map((part) => [part.type, part.value]));
  const day = `${got.year}-${got.month}-${got.day}`;
  const clock = `${got.hour}:${got.minute}`;
  const [, hasDay, hasClock, hasSeconds, fraction] = /^(\d{4}-\d\d-\d\d)?[ T]?(\d\d:\d\d)?(:\d\d)?(\.\d+)?/.exec(text);
  const exact = fraction ? `.${(/\.(\d+)/.exec(stamp)?.[1] ?? "").padEnd(6, "0").slice(0, fraction.length - 1)}` : "";
  if (!hasClock && got.hour + got.minute !== "0000") {
    return `${day.slice(5)} ${clock}`; // Midnight in UTC is another time of day here.
  }
  return [hasDay && day, hasClock && `${clock}${hasSeconds ? `:${got.second}` : ""}${exact}`].filter(Boolean).join(" ");
}

function show(root) {
  for (const time of root.querySelectorAll("time[datetime], text[data-time]")) {
    if (!texts.has(time)) {
      texts.set(time, time.textContent);
    }
    const text = texts.get(time);
    const shown = zone === UTC || Number.isNaN(Date.parse(time.dateTime ?? time.dataset.time)) ? text : format(time, text);
    if (time.textContent !== shown) {
      time.textContent = shown;
    }
  }
  for (const unit of root.querySelectorAll(".zone-name")) {
    unit.textContent = zone;
  }
}

function offerChoice(place) {
  const select = document.createElement("select");
  for (const name of new Set([UTC, BROWSER])) {
    select.add(new Option(name, name, name === UTC, name === zone));
  }
  select.setAttribute("aria-label", "Time zone");
  select.addEventListener("change", () => {
    zone = select.value;
    remember();
    show(document);
  });
  place.replaceChildren("Times in ", select);
}

const place = document.getElementById("zone");
if (place) {
  offerChoice(place);
}
show(document);
document.addEventListener("panko:added", (event) => show(event.target));
