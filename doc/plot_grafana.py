# SPDX-License-Identifier: Apache-2.0
"""Draw panels of the dashboards in etc/grafana with the sample events, for the documentation.

Queries, names and colours are taken from the dashboards, the data from ``/grafana/query``. The sample events keep their
times, so that the same versions of the libraries draw the same pictures. From the root of a clone::

    python -m doc.plot_grafana [directory]
"""

import datetime
import sys
import tempfile
import zoneinfo
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.dates
import matplotlib.figure
import matplotlib.textpath

from doc import dashboards
from doc.sample import serve_sample

IMAGES = Path(__file__).parent / "source/images"

ZONE = zoneinfo.ZoneInfo("Europe/Berlin")
"""The time zone of the viewer; not UTC, to show that times are displayed in it."""

START = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
END = datetime.datetime(2026, 1, 4, tzinfo=datetime.UTC)

WIDTH_INCHES = 8.8
"""The width of the text of a page."""

PALETTE = ("#7eb26d", "#eab839", "#6ed0e0", "#ef843c", "#e24d42", "#1f78c1", "#ba43a9", "#705da0", "#508642", "#cca300")
COLOURS = {
    "green": "#56a64b",
    "red": "#e02f44",
    "orange": "#ff780a",
    "yellow": "#e0b400",
    "purple": "#a352cc",
    "blue": "#3274d9",
}
INK, PALE = "#222222", "#555555"
STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "axes.titlesize": 9,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.edgecolor": "#b0b0b0",
    "axes.labelcolor": PALE,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.6,
    "text.color": INK,
    "text.hinting": "none",
    "xtick.color": PALE,
    "ytick.color": PALE,
}


def main(arguments: list[str]) -> None:
    """Write all pictures into a directory."""
    output = Path(arguments[0]) if arguments else IMAGES
    output.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context(STYLE), tempfile.TemporaryDirectory() as directory:
        for name, figure in draw_all(serve_sample(Path(directory))):
            # Without this, the file contains the version of matplotlib.
            figure.savefig(output / f"grafana-{name}.png", dpi=150, metadata={"Software": None})
            print(output / f"grafana-{name}.png")


def draw_all(send: dashboards.Send) -> Iterator[tuple[str, matplotlib.figure.Figure]]:
    """Yield name and picture of each panel that the documentation shows."""
    overview = dashboards.load("overview")
    view = dashboards.open_dashboard(overview, send, START, END)
    panels = {panel["title"]: panel for panel in overview["panels"]}

    def answer(title: str) -> Any:
        (request,) = dashboards.panel_requests(panels[title], view)
        return send(*request)

    annotations = [
        (annotation, send(*dashboards.annotation_request(annotation, view))[0]["rows"])
        for annotation in overview["annotations"]["list"]
        if not annotation.get("builtIn")
    ]
    yield "counts", draw_series(panels["Events by type"], answer("Events by type"), draw_bars)
    yield "failures", draw_series(panels["Failures per hour"], answer("Failures per hour"), draw_steps, annotations)
    yield "projects", draw_gauges(panels["Top projects"], answer("Top projects"))
    yield "events", draw_table(panels["Newest events"], answer("Newest events")[0])
    instance = dashboards.load("instance")
    view = dashboards.open_dashboard(instance, send, START, END, {"name": "lab-01"})
    panels = {panel["title"]: panel for panel in instance["panels"]}
    yield "states", draw_states(panels["State"], answer("State")[0])


def properties(panel: Mapping[str, Any], name: str, ref_id: str | None = None) -> dict[str, Any]:
    """Return the properties that a panel overrides for a field, found by its name or by its query."""
    wanted = {"byName": name, "byFrameRefID": ref_id}
    return {
        each["id"]: each["value"]
        for override in panel["fieldConfig"]["overrides"]
        if wanted[override["matcher"]["id"]] == override["matcher"]["options"]
        for each in override["properties"]
    }


def colour(name: str) -> str:
    """Return the colour that has this name in Grafana."""
    return COLOURS.get(name, name)


def local(milliseconds: float) -> datetime.datetime:
    """Return a time of an answer in the viewer's time zone."""
    return datetime.datetime.fromtimestamp(milliseconds / 1000, ZONE)


Draw = Callable[[Any, list[tuple[str, str, list[datetime.datetime], list[int]]]], None]
Annotations = Iterable[tuple[Mapping[str, Any], list[list[Any]]]]


def draw_series(
    panel: Mapping[str, Any], answer: Iterable[Mapping[str, Any]], draw: Draw, annotations: Annotations = ()
) -> matplotlib.figure.Figure:
    """Draw time series, with their sums in the legend."""
    colours, series = iter(PALETTE), []
    for each in answer:
        overrides = properties(panel, each["target"], each["refId"])
        shade = colour(overrides["color"]["fixedColor"]) if "color" in overrides else next(colours)
        times = [local(moment) for _, moment in each["datapoints"]]
        counts = [count for count, _ in each["datapoints"]]
        series.append((f"{overrides.get('displayName', each['target'])}  ({sum(counts)})", shade, times, counts))
    below = panel["options"]["legend"]["placement"] == "bottom"
    figure = matplotlib.figure.Figure(figsize=(WIDTH_INCHES, 3.1 if below else 3.3), layout="constrained")
    axes = figure.subplots()
    draw(axes, series)
    axes.set(title=panel["title"], ylabel=panel["fieldConfig"]["defaults"]["custom"]["axisLabel"])
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_locator(mpl.ticker.MaxNLocator(integer=True))
    draw_annotations(axes, annotations)
    set_time_axis(axes)
    position = {"loc": "outside lower center", "ncols": 4} if below else {"loc": "outside right upper"}
    figure.legend(**position, frameon=False, handlelength=1.2)
    return figure


def draw_bars(axes: Any, series: list[tuple[str, str, list[datetime.datetime], list[int]]]) -> None:
    """Draw series as stacked bars, each as wide as its period."""
    bottoms = [0] * len(series[0][3])
    for label, shade, times, counts in series:
        axes.bar(times, counts, (times[1] - times[0]) * 0.9, bottoms, align="edge", color=shade, label=label)
        bottoms = [sum(pair) for pair in zip(bottoms, counts, strict=True)]


def draw_steps(axes: Any, series: list[tuple[str, str, list[datetime.datetime], list[int]]]) -> None:
    """Draw series as step lines."""
    for label, shade, times, counts in series:
        axes.step(times, counts, where="post", color=shade, linewidth=1.6, label=label)
        axes.fill_between(times, counts, step="post", color=shade, alpha=0.12, linewidth=0)


def draw_annotations(axes: Any, annotations: Annotations) -> None:
    """Draw annotations as lines with a triangle on the axis."""
    for annotation, rows in annotations:
        shade, times = colour(annotation["iconColor"]), [local(row[0]) for row in rows]
        for time in times:
            axes.axvline(time, color=shade, linewidth=0.7, linestyle=(0, (4, 3)), zorder=0.5)
        label = f"{annotation['name']}  ({len(rows)})"
        axes.plot(times, [0] * len(times), "^", color=shade, markersize=6, clip_on=False, zorder=3, label=label)


def set_time_axis(axes: Any) -> None:
    """Set up the time axis: the whole range, in the viewer's time zone."""
    axes.set_xlim(START, END)
    locator = matplotlib.dates.HourLocator(byhour=(0, 6, 12, 18), tz=ZONE)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(matplotlib.dates.DateFormatter("%H:%M\n%d %b", tz=ZONE))
    axes.set_xlabel(f"time in {ZONE.key}")


def draw_gauges(panel: Mapping[str, Any], answer: list[Mapping[str, Any]]) -> matplotlib.figure.Figure:
    """Draw the sums of series as horizontal bars."""
    names = [each["target"] for each in answer]
    sums = [sum(count for count, _ in each["datapoints"]) for each in answer]
    figure = matplotlib.figure.Figure(figsize=(WIDTH_INCHES, 0.7 + 0.28 * len(names)), layout="constrained")
    axes = figure.subplots()
    bars = axes.barh(names, sums, height=0.6, color=colour("blue"))
    axes.bar_label(bars, padding=4)
    axes.invert_yaxis()
    axes.set(title=panel["title"], xlabel="events")
    axes.grid(visible=False, axis="y")
    return figure


def draw_states(panel: Mapping[str, Any], table: Mapping[str, Any]) -> matplotlib.figure.Figure:
    """Draw the states of an instance, each until the next event."""
    colours, column = state_colours(panel["fieldConfig"]["defaults"]), table["columns"][-1]["text"]
    figure = matplotlib.figure.Figure(figsize=(WIDTH_INCHES, 1.5), layout="constrained")
    axes = figure.subplots()
    ends = [*(row[0] for row in table["rows"][1:]), END.timestamp() * 1000]
    for row, end in zip(table["rows"], ends, strict=True):
        start = local(row[0])
        axes.barh(0, local(end) - start, left=start, height=0.7, color=colours[row[-1]], label=row[-1])
    axes.set(title=f"{panel['title']} of lab-01", yticks=[0], yticklabels=[properties(panel, column)["displayName"]])
    set_time_axis(axes)
    handles, labels = axes.get_legend_handles_labels()
    each = dict(zip(labels, handles, strict=True))
    figure.legend(each.values(), each, loc="outside right upper", frameon=False, handlelength=1.2)
    return figure


def state_colours(overrides: Mapping[str, Any]) -> dict[str, str]:
    """Return the colours of values in the mappings of a field."""
    return {
        value: colour(shown["color"])
        for mapping in overrides.get("mappings", ())
        for value, shown in mapping["options"].items()
    }


TABLE_ROWS = 14
ROW_INCHES = 0.21
PIXEL_INCHES = 8.6 / 1290
"""Inches of a pixel of a column's width."""

TEXT_POINTS = 7


def draw_table(panel: Mapping[str, Any], table: Mapping[str, Any]) -> matplotlib.figure.Figure:
    """Draw the first rows of a table, with the columns that fit on a page."""
    height = ROW_INCHES * (TABLE_ROWS + 2.6)
    figure = matplotlib.figure.Figure(figsize=(WIDTH_INCHES, height))
    figure.text(0.1 / WIDTH_INCHES, 1 - 0.75 * ROW_INCHES / height, panel["title"], weight="bold", size=9, va="center")
    left = 0.1
    for index, column in enumerate(table["columns"]):
        overrides = properties(panel, column["text"])
        width = overrides.get("custom.width", 0) * PIXEL_INCHES
        if overrides.get("custom.hidden") or left + width > WIDTH_INCHES:
            continue
        cells = [(overrides.get("displayName", column["text"]), "#1f60c4")]
        cells += [format_cell(row[index], column["type"], overrides) for row in table["rows"][:TABLE_ROWS]]
        for line, (text, shade) in enumerate(cells):
            y = 1 - ROW_INCHES * (line + 2) / height
            figure.text(
                left / WIDTH_INCHES, y, truncate(text, width - 0.13), color=shade, size=TEXT_POINTS, va="center"
            )
        left += width
    for line in range(TABLE_ROWS + 1):
        y = 1 - ROW_INCHES * (line + 2.5) / height
        figure.add_artist(
            mpl.lines.Line2D([0.1 / WIDTH_INCHES, 1 - 0.1 / WIDTH_INCHES], [y, y], color="#dddddd", linewidth=0.6)
        )
    return figure


def truncate(text: str, width: float) -> str:
    """Return a text, truncated to a width in inches."""
    whole = text
    while text and matplotlib.textpath.TextPath((0, 0), text, size=TEXT_POINTS).get_extents().width > width * 72:
        text = f"{text.removesuffix('…')[:-1]}…"
    return text or whole


def format_cell(value: Any, kind: str, overrides: Mapping[str, Any]) -> tuple[str, str]:
    """Return the text and colour of a cell."""
    if value is None:
        return "", INK
    if kind == "time":
        return f"{local(value):%Y-%m-%d %H:%M:%S}", INK
    if overrides.get("unit") == "mbytes":
        return f"{value / 1024:g} GiB" if value >= 1024 else f"{value} MiB", INK
    return str(value), state_colours(overrides).get(value, INK)


if __name__ == "__main__":
    main(sys.argv[1:])
