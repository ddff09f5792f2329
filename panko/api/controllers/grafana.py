# SPDX-License-Identifier: Apache-2.0
"""Controllers of Grafana's protocols: the JSON data sources, and rows for the Infinity data source."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import orjson
import pecan

from panko.api.controllers.decorators import expose_document, expose_get, expose_query
from panko.api.filters import Selection
from panko.api.grafana import frames, metrics, rows, targets, variables
from panko.api.grafana.request import parse_object
from panko.api.hooks import Context
from panko.api.pages import Links
from panko.api.routing import Resource, Root
from panko.policies import events
from panko.storage.filters import EventFilter


class MetricsController(Resource):
    """What panels can show."""

    @expose_query
    def post(self, body: bytes) -> Iterator[bytes]:
        """Return the metrics, each with the fields of its payload."""
        parse_object(body)
        return _to_documents(metric.describe() for metric in metrics.METRICS.values())


class OptionsController(Resource):
    """The options of the fields of a payload."""

    @expose_query
    def post(self, body: bytes) -> Iterator[bytes]:
        """Return label and value of each option of a field; none if any text can be entered."""
        field, request = variables.parse_options(parse_object(body))
        if request is not None:
            return _to_documents({"label": name, "value": name} for name in _list_names(request))
        return _to_documents(field.describe().get("options", ()) if field else ())


class QueryController(Resource):
    """The contents of panels."""

    @expose_query
    def post(self, body: bytes) -> Iterator[bytes]:
        """Return the time series and tables of all targets."""
        context: Context = pecan.request.panko
        requested = targets.parse_query(parse_object(body), context.limits.max_limit)
        filters = [_select(target.metric.rule, target.selection) for target in requested]
        return frames.render_frames(context.storage, zip(requested, filters, strict=True))


class VariableController(Resource):
    """The values of variables of dashboards."""

    @expose_query
    def post(self, body: bytes) -> Iterator[bytes]:
        """Return text and value of each value of a variable."""
        names = _list_names(variables.parse_variable(parse_object(body)))
        return _to_documents({"__text": name, "__value": name} for name in names)


class TagKeysController(Resource):
    """The keys of ad hoc filters."""

    @expose_query
    def post(self, body: bytes) -> Iterator[bytes]:
        """Return type and name of each key."""
        parse_object(body)
        event_filter = _select(events.INDEX, Selection(EventFilter()))
        traits = variables.list_traits(pecan.request.panko.storage, event_filter)
        return _to_documents({"type": type_, "text": key} for key, type_ in variables.make_tag_keys(traits))


class TagValuesController(Resource):
    """The values that ad hoc filters can compare with."""

    @expose_query
    def post(self, body: bytes) -> Iterator[bytes]:
        """Return the values for a key."""
        request = variables.parse_tag(parse_object(body))
        return _to_documents({"text": name} for name in (_list_names(request) if request else ()))


class SearchController(Resource):
    """The names of metrics and the values of variables, as SimpleJSON requests them."""

    @expose_query
    def post(self, body: bytes) -> Iterator[bytes]:
        """Return the values of a variable if the target names one, and the names of all metrics otherwise."""
        request = variables.parse_search(parse_object(body))
        return _to_documents(_list_names(request) if request else metrics.METRICS)


class AnnotationsController(Resource):
    """Annotations, as SimpleJSON requests them."""

    @expose_query
    def post(self, body: bytes) -> Iterator[bytes]:
        """Return the annotations in a time range."""
        context: Context = pecan.request.panko
        given = parse_object(body)
        target = targets.parse_annotations(given, context.limits.max_limit)
        event_filter = _select(target.metric.rule, target.selection)
        return frames.render_annotations(context.storage, target, event_filter, given.members.get("annotation"))


class RowsController(Resource):
    """Events as rows."""

    @expose_document
    def get_all(self) -> Iterable[bytes]:
        """Return the rows that the arguments select, and the cursor and the link of the next ones."""
        context: Context = pecan.request.panko
        context.authorization.require(events.INDEX)
        links = Links(pecan.request, rows.CURSOR_ARGUMENT)
        requested = rows.parse_rows(pecan.request.GET, links, context.limits.default_limit, context.limits.max_limit)
        event_filter = _select(events.INDEX, requested.selection)
        links = Links(pecan.request, rows.CURSOR_ARGUMENT, requested.selection.absolute_texts)
        return rows.RowPage(context.storage, event_filter, requested.page, links, requested.make_row)


class GrafanaController(Root):
    """The root of Grafana's protocols."""

    annotations = AnnotationsController()
    metrics = MetricsController()
    query = QueryController()
    rows = RowsController()
    search = SearchController()
    variable = VariableController()

    @expose_get({str: str})
    def get_all(self) -> bytes:
        """Confirm that the service works and the caller may use it: Grafana's "Save & test"."""
        pecan.request.panko.authorization.require_known()
        return orjson.dumps({"status": "ok"})


# These names are not valid in Python.
pecan.route(GrafanaController, "metric-payload-options", OptionsController())
pecan.route(GrafanaController, "tag-keys", TagKeysController())
pecan.route(GrafanaController, "tag-values", TagValuesController())


def _to_documents(members: Iterable[Any]) -> Iterator[bytes]:
    return map(orjson.dumps, members)


def _select(rule: str, selection: Selection) -> EventFilter:
    """Return the filter for the selected events that the caller may see.

    :raises Refused: if the rule does not allow the request
    :raises NotSupported: if the storage driver does not know all conditions
    """
    context: Context = pecan.request.panko
    context.authorization.require(rule)
    scope = context.authorization.grafana_scope(selection.all_tenants)
    return selection.limit_to(scope, context.storage, context.limits.scan_seconds)


def _list_names(request: variables.ListRequest) -> Sequence[str]:
    """Return the names of a list, from the events that the caller may see."""
    event_filter = _select(request.rule, request.selection)
    return variables.list_names(pecan.request.panko.storage, request, event_filter)
