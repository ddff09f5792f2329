# SPDX-License-Identifier: Apache-2.0
"""The dashboards of etc/grafana as requests: with the values of variables, as Grafana and its plugins send them."""

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
"""What a variable is set to that stands for all its values."""

DEFAULT_POINTS = 500
ANNOTATION_POINTS = 100

_REFERENCE = re.compile(r"\$(?:(\w+)|\{(\w+)(?::(\w+))?\})")
_SPECIAL = re.compile(r"[\\^$*+?.()|\[\]{}/]")
_REGEX = re.compile(r"/(.*)/([a-z]*)")

Send = Callable[[str, str, Any], Any]
"""Sends a request of a method to a path, with a body or the pairs of a query string, and returns the answer's JSON."""


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable that has values.

    :param chosen: what the user chose
    :param options: what there is to choose from
    :param all_value: what stands for all of them; None: they themselves
    """

    chosen: str | tuple[str, ...]
    options: tuple[str, ...] = ()
    all_value: str | None = None

    def text(self, form: str) -> str:
        """Return the values as Grafana writes them in a form; a value of its own for all has none."""
        if self.chosen not in (ALL, (ALL,)):
            return FORMS[form](self.chosen)
        return FORMS[form](self.options) if self.all_value is None else self.all_value


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


FORMS: Mapping[str, Callable[[str | tuple[str, ...]], str]] = {
    "raw": _raw,
    "csv": _raw,
    "glob": _glob,
    "regex": _regex,
    "json": _json,
}
"""The forms that the values of a variable can be written in."""


def interpolate(text: str, variables: Mapping[str, Variable], form: str) -> str:
    """Return a text with the values of variables, in a form unless the text names another.

    :raises KeyError: where there is no such variable
    """
    return _REFERENCE.sub(lambda found: variables[found[1] or found[2]].text(found[3] or form), text)


@dataclass(frozen=True, slots=True)
class View:
    """A dashboard as a user sees it: a range of time, and the variables."""

    start: datetime.datetime
    end: datetime.datetime
    variables: Mapping[str, Variable]

    @property
    def range(self) -> dict[str, Any]:
        """The range as the plugins send it."""
        ends = {"from": self.start, "to": self.end}
        texts = {name: time.astimezone(datetime.UTC).isoformat(timespec="milliseconds") for name, time in ends.items()}
        texts = {name: text.replace("+00:00", "Z") for name, text in texts.items()}
        return {**texts, "raw": texts}


def load(name: str) -> dict[str, Any]:
    """Return the dashboard of a name."""
    return json.loads((GRAFANA / "dashboards" / f"{name}.json").read_text("utf-8"))


def open_dashboard(
    dashboard: Mapping[str, Any],
    send: Send,
    start: datetime.datetime,
    end: datetime.datetime,
    chosen: Mapping[str, Any] | None = None,
) -> View:
    """Return the view of a dashboard: each variable gets its values by a request, and is set as when it is opened.

    :param chosen: what variables are set to instead
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
    """Return the body that asks for the values of a variable."""
    query = given["query"]
    if query["format"] == "json":
        payload = json.loads(interpolate(query["query"], view.variables, "json"))
    else:
        payload = {"target": interpolate(query["query"], view.variables, "regex")}
    return {"payload": payload, "range": view.range}


def panel_requests(panel: Mapping[str, Any], view: View) -> Iterator[tuple[str, str, Any]]:
    """Yield the requests of a panel: all targets of the JSON data source at once, each of Infinity by itself."""
    targets = [target for target in panel["targets"] if target["datasource"]["type"] == JSON_SOURCE]
    if targets:
        yield _query(targets, view, panel.get("maxDataPoints", DEFAULT_POINTS), panel.get("interval"), panel["id"])
    for target in panel["targets"]:
        if target["datasource"]["type"] == ROWS_SOURCE:
            pairs = [(each["key"], interpolate(each["value"], view.variables, "glob")) for each in _params(target)]
            yield "GET", interpolate(target["url"], view.variables, "glob"), pairs


def _params(target: Mapping[str, Any]) -> list[dict[str, str]]:
    return target["url_options"].get("params", [])


def annotation_request(annotation: Mapping[str, Any], view: View) -> tuple[str, str, Any]:
    """Return the request of an annotation."""
    return _query([annotation["target"]], view, ANNOTATION_POINTS)


def _query(
    targets: list[Any], view: View, points: int, least: str | None = None, panel: int | None = None
) -> tuple[str, str, Any]:
    interval = max((view.end - view.start) / datetime.timedelta(milliseconds=points), _milliseconds(least))
    variables = {name: {"value": variable.chosen} for name, variable in view.variables.items()}
    body = {
        "panelId": panel,
        "range": view.range,
        "intervalMs": round(interval),
        "maxDataPoints": points,
        "targets": [{**target, "payload": _payload(target["payload"], view)} for target in targets],
        "filters": [],
        "scopedVars": variables,
    }
    return "POST", "/grafana/query", body


def _milliseconds(interval: str | None) -> int:
    return int(interval.removesuffix("m")) * 60_000 if interval else 0


def _payload(payload: Mapping[str, Any], view: View) -> dict[str, Any]:
    """Return a payload as the query builder sends it: every member is a text, or a list of texts."""

    def fill(value: Any) -> Any:
        if isinstance(value, list):
            return [fill(each) for each in value]
        return interpolate(str(value), view.variables, "regex")

    return {name: fill(value) for name, value in payload.items()}
