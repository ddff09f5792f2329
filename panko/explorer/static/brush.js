// SPDX-License-Identifier: Apache-2.0
// Drawing across the histogram narrows the time range of the page. Without it, each bar is a link that does.

const MIN_PIXELS = 6;
const SVG = "http://www.w3.org/2000/svg";

function prepare(chart) {
  const first = Date.parse(chart.dataset.start);
  const last = Date.parse(chart.dataset.end);
  let brush = null;
  let from = 0;

  const place = (event) => {
    const box = chart.getBoundingClientRect();
    return Math.min(Math.max(event.clientX - box.left, 0), box.width);
  };
  const time = (x) => new Date(first + (last - first) * (x / chart.getBoundingClientRect().width)).toISOString();
  const finish = () => {
    brush?.remove();
    brush = null;
  };

  chart.addEventListener("pointerdown", (event) => {
    if (event.button === 0 && event.pointerType !== "touch") { // A finger scrolls the page.
      event.preventDefault(); // The browser would drag the link of the bar.
      from = place(event);
      brush = document.createElementNS(SVG, "rect");
      brush.setAttribute("class", "brush");
      brush.setAttribute("y", "0");
      brush.setAttribute("height", "134");
      brush.setAttribute("width", "0");
      chart.append(brush);
    }
  });
  chart.addEventListener("dragstart", (event) => event.preventDefault());
  window.addEventListener("pointermove", (event) => {
    if (brush) {
      const to = place(event);
      brush.setAttribute("x", Math.min(from, to));
      brush.setAttribute("width", Math.abs(to - from));
    }
  });
  window.addEventListener("pointerup", (event) => {
    if (!brush) {
      return;
    }
    const [left, right] = [from, place(event)].sort((one, other) => one - other);
    finish();
    if (right - left >= MIN_PIXELS) {
      // The click that follows belongs to the drawing, not to the bar below.
      window.addEventListener("click", (click) => click.preventDefault(), { capture: true, once: true });
      const url = new URL(chart.dataset.url, location.href);
      url.searchParams.set("start", time(left));
      url.searchParams.set("end", time(right));
      location.assign(url);
    }
  });
  window.addEventListener("keydown", (event) => event.key === "Escape" && finish());
}

function prepareAll(root) {
  root.querySelectorAll("svg.bars").forEach(prepare);
}

prepareAll(document);
document.addEventListener("panko:added", (event) => prepareAll(event.target));
