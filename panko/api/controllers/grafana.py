# SPDX-License-Identifier: Apache-2.0
"""The protocol of Grafana's JSON data sources, and rows for its Infinity data source."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import orjson
import pecan

from panko.api.controllers.decorators import expose_document, expose_get, expose_query
from panko.api.grafana import answers, choices, metrics, queries, rows, variables
from panko.api.grafana.choices import Listing
from panko.api.grafana.members import parse_object
from panko.api.routing import Resource, Root
from panko.policies import events
from panko.storage.filters import EventFilter, Scope


class MetricsController(Resource):
    """Tells what can be put on a panel."""

    @expose_query
    def post(self, body):
        """Return the metrics, and the fields of their payloads."""
        parse_object(body)
        return _documents(metric.document() for metric in metrics.METRICS.values())


class OptionsController(Resource):
    """Tells what a field of a payload can be."""

    @expose_query
    def post(self, body):
        """Return label and value of each option; none, where anything can be written into the field."""
        field, listing = variables.parse_options(parse_object(body))
        if listing is None:
            return _documents(field.document().get("options", ()) if field else ())
        return _documents({"label": name, "value": name} for name in _members(listing))


class QueryController(Resource):
    """Answers what panels ask."""

    @expose_query
    def post(self, body):
        """Return the series and tables of all targets."""
        context = pecan.request.panko
        targets = queries.parse_query(parse_object(body), context.limits.max_limit)
        scopes = [_scope(metrics.METRICS[target.metric].rule, target.selection.all_tenants) for target in targets]
        return answers.answer_query(context.storage, zip(targets, scopes, strict=True))


class VariableController(Resource):
    """Answers what variables of dashboards ask."""

    @expose_query
    def post(self, body):
        """Return the values that a variable can have."""
        members = _members(variables.parse_variable(parse_object(body)))
        return _documents({"__text": name, "__value": name} for name in members)


class TagKeysController(Resource):
    """Tells what ad hoc filters can be on."""

    @expose_query
    def post(self, body):
        """Return name and type of each key."""
        parse_object(body)
        event_filter = EventFilter(scope=_scope(events.INDEX, None))
        found = choices.traits(pecan.request.panko.storage, event_filter)
        return _documents({"type": kind, "text": key} for key, kind in variables.tag_keys(found))


class TagValuesController(Resource):
    """Tells what ad hoc filters can compare with."""

    @expose_query
    def post(self, body):
        """Return the values of a key."""
        listing = variables.parse_tag(parse_object(body))
        return _documents({"text": name} for name in (_members(listing) if listing else ()))


class SearchController(Resource):
    """Answers SimpleJSON's question for what there is."""

    @expose_query
    def post(self, body):
        """Return the values of the variable that the target is; the names of all metrics where it is none."""
        listing = variables.parse_search(parse_object(body))
        return _documents(_members(listing) if listing else metrics.METRICS)


class AnnotationsController(Resource):
    """Answers SimpleJSON's question for annotations."""

    @expose_query
    def post(self, body):
        """Return the annotations of a range."""
        context = pecan.request.panko
        given = parse_object(body)
        target = queries.parse_annotations(given, context.limits.max_limit)
        scope = _scope(metrics.METRICS[target.metric].rule, target.selection.all_tenants)
        return answers.answer_annotations(context.storage, target, scope, given.given.get("annotation"))


class RowsController(Resource):
    """Answers for events as rows."""

    @expose_document
    def get_all(self):
        """Return the rows that the arguments ask for, and the cursor of the next ones."""
        request = pecan.request
        context = request.panko
        context.authorization.require(events.INDEX)
        asked = rows.parse_rows(request.GET, context.limits.default_limit, context.limits.max_limit)
        scope = context.authorization.grafana_scope(asked.selection.all_tenants)
        found = context.storage.get_events(asked.selection.seen_in(scope), asked.page)
        return rows.render_rows(found, asked.limit)


class GrafanaController(Root):
    """Leads to what the protocol has, and tells a caller that the service is there for them."""

    annotations = AnnotationsController()
    metrics = MetricsController()
    query = QueryController()
    rows = RowsController()
    search = SearchController()
    variable = VariableController()

    @expose_get({str: str})
    def get_all(self):
        """Return where the caller is one who may ask."""
        pecan.request.panko.authorization.require_known()
        return orjson.dumps({"status": "ok"})


# The protocol's names for these are none of Python.
setattr(GrafanaController, "metric-payload-options", OptionsController())
setattr(GrafanaController, "tag-keys", TagKeysController())
setattr(GrafanaController, "tag-values", TagValuesController())


def _documents(members: Iterable[Any]) -> Iterator[bytes]:
    return map(orjson.dumps, members)


def _scope(rule: str, all_tenants: bool | None) -> Scope:
    """Return which events the caller sees by a rule."""
    authorization = pecan.request.panko.authorization
    authorization.require(rule)
    return authorization.grafana_scope(all_tenants)


def _members(listing: Listing) -> Sequence[str]:
    """Return the members of a list, of what the caller sees."""
    scope = _scope(listing.rule, listing.selection.all_tenants)
    return choices.members_of(pecan.request.panko.storage, listing, scope)
