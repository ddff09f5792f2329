# SPDX-License-Identifier: Apache-2.0
"""Requests for the dashboards of etc/grafana, as Grafana and its plugins send them."""

import datetime
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

GRAFANA = Path(__file__).parents[1] / "etc/grafana"
JSON_SOURCE = "simpod-json-datasource"
ROWS_SOURCE = "yesoreyeram-infinity-datasource"

ALL = "$__all"
"""The value of a variable that is set to all its options."""

DEFAULT_MAX_POINTS = 500
ANNOTATION_MAX_POINTS = 100

_REFERENCE = re.compile(r"\$(?:(\w+)|\{(\w+)(?::(\w+))?\})")
_SPECIAL = re.compile(r"[\\^$*+?.()|\[\]{}/]")
_REGEX = re.compile(r"/(.*)/([a-z]*)")

Send = Callable[[str, str, Any], Any]
"""Send a request, given its method, path, and body or query string pairs, and return the JSON of the answer."""


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable of a dashboard, and its current value.

    :param chosen: the values that the user chose
    :param options: the values that the user can choose from
    :param all_value: the text for "all"; None: the options
    """

    chosen: str | tuple[str, ...]
    options: tuple[str, ...] = ()
    all_value: str | None = None

    def text(self, format_: str) -> str:
        """Return the values in one of :data:`FORMATS`, except ``all_value``, which Grafana does not format."""
        if self.chosen not in (ALL, (ALL,)):
            return FORMATS[format_](self.chosen)
        return FORMATS[format_](self.options) if self.all_value is None else self.all_value


def _regex(value: str | tuple[str, ...]) -> str:
    if isinstance(value, str):
        return _SPECIAL.sub(r"\\\g<0>", value)
    parts = [_regex(each) for each in value]
    return parts[0] if len(parts) == 1 else f"({'|'.join(parts)})"


def _glob(value: str | tuple[str, ...]) -> str:
    return f"{{{','.join(value)}}}" if isinstance(value, tuple) and len(value) > 1 else _raw(value)


def _raw(value: str | tuple[str, ...]) -> str:
    return value if isinstance(value, str) else ",".join(value)


def _json(value: str | tuple[str, ...]) -> str:
    return value if isinstance(value, str) else json.dumps(value)


FORMATS: Mapping[str, Callable[[str | tuple[str, ...]], str]] = {
    "raw": _raw,
    "csv": _raw,
    "glob": _glob,
    "regex": _regex,
    "json": _json,
}
"""Grafana's formats for the values of a variable."""


def interpolate(text: str, variables: Mapping[str, Variable], format_: str) -> str:
    """Replace the references to variables in a text.

    :param format_: the format of references that do not name one
    :raises KeyError: if there is no such variable
    """
    return _REFERENCE.sub(lambda found: variables[found[1] or found[2]].text(found[3] or format_), text)


@dataclass(frozen=True, slots=True)
class View:
    """An open dashboard: its time range and variables."""

    start: datetime.datetime
    end: datetime.datetime
    variables: Mapping[str, Variable]

    @property
    def range(self) -> dict[str, Any]:
        """The time range as the plugins send it."""
        ends = {"from": self.start, "to": self.end}
        texts = {name: time.astimezone(datetime.UTC).isoformat(timespec="milliseconds") for name, time in ends.items()}
        texts = {name: text.replace("+00:00", "Z") for name, text in texts.items()}
        return {**texts, "raw": texts}


def load(name: str) -> dict[str, Any]:
    """Load a dashboard by name."""
    return json.loads((GRAFANA / "dashboards" / f"{name}.json").read_text("utf-8"))


def open_dashboard(
    dashboard: Mapping[str, Any],
    send: Send,
    start: datetime.datetime,
    end: datetime.datetime,
    chosen: Mapping[str, Any] | None = None,
) -> View:
    """Return the view of a dashboard just opened: the options of its variables are requested.

    :param chosen: values for variables, instead of their initial ones
    """
    ends = {"__from": start, "__to": end}
    variables = {name: Variable(str(int(time.timestamp() * 1000))) for name, time in ends.items()}
    for given in dashboard["templating"]["list"]:
        if given["type"] == "adhoc":
            continue
        variable = Variable(given["current"].get("value", ""))
        if given["type"] == "query":
            answer = send("POST", "/grafana/variable", variable_request(given, View(start, end, variables)))
            options = [each["__value"] for each in answer if _matches(given["regex"], each["__text"])]
            options = tuple(sorted(options, key=str.casefold) if given["sort"] else options)
            first = _frozen(given["current"].get("value") or next(iter(options), ""))
            variable = Variable(first, options, given.get("allValue"))
        if chosen and given["name"] in chosen:
            variable = Variable(_frozen(chosen[given["name"]]), variable.options, variable.all_value)
        variables[given["name"]] = variable
    return View(start, end, variables)


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _matches(regex: str, text: str) -> bool:
    found = _REGEX.fullmatch(regex)
    return not found or bool(re.search(found[1], text, re.IGNORECASE if "i" in found[2] else 0))


def variable_request(given: Mapping[str, Any], view: View) -> dict[str, Any]:
    """Return the body of the request for the values of a variable."""
    query = given["query"]
    if query["format"] == "json":
        payload = json.loads(interpolate(query["query"], view.variables, "json"))
    else:
        payload = {"target": interpolate(query["query"], view.variables, "regex")}
    return {"payload": payload, "range": view.range}


def panel_requests(panel: Mapping[str, Any], view: View) -> Iterator[tuple[str, str, Any]]:
    """Yield the requests of a panel: one for all targets of the JSON data source, and one for each of Infinity."""
    targets = [target for target in panel["targets"] if target["datasource"]["type"] == JSON_SOURCE]
    if targets:
        yield _query(targets, view, panel.get("maxDataPoints", DEFAULT_MAX_POINTS), panel.get("interval"), panel["id"])
    for target in panel["targets"]:
        if target["datasource"]["type"] == ROWS_SOURCE:
            pairs = [(each["key"], interpolate(each["value"], view.variables, "glob")) for each in _params(target)]
            yield "GET", interpolate(target["url"], view.variables, "glob"), pairs


def _params(target: Mapping[str, Any]) -> list[dict[str, str]]:
    return target["url_options"].get("params", [])


def annotation_request(annotation: Mapping[str, Any], view: View) -> tuple[str, str, Any]:
    """Return the request of an annotation."""
    return _query([annotation["target"]], view, ANNOTATION_MAX_POINTS)


def _query(
    targets: list[Any], view: View, max_points: int, min_interval: str | None = None, panel: int | None = None
) -> tuple[str, str, Any]:
    interval = max((view.end - view.start) / datetime.timedelta(milliseconds=max_points), _milliseconds(min_interval))
    variables = {name: {"value": variable.chosen} for name, variable in view.variables.items()}
    body = {
        "panelId": panel,
        "range": view.range,
        "intervalMs": round(interval),
        "maxDataPoints": max_points,
        "targets": [{**target, "payload": _payload(target["payload"], view)} for target in targets],
        "filters": [],
        "scopedVars": variables,
    }
    return "POST", "/grafana/query", body


def _milliseconds(interval: str | None) -> int:
    return int(interval.removesuffix("m")) * 60_000 if interval else 0


def _payload(payload: Mapping[str, Any], view: View) -> dict[str, Any]:
    """Return a payload as the query builder sends it: each member is a string, or a list of strings."""

    def fill(value: Any) -> Any:
        if isinstance(value, list):
            return [fill(each) for each in value]
        return interpolate(str(value), view.variables, "regex")

    return {name: fill(value) for name, value in payload.items()}
