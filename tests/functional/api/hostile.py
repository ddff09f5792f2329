# SPDX-License-Identifier: Apache-2.0
"""Random events with every kind of content, and random requests for them."""

import contextlib
import datetime
import math
import random
from collections.abc import Iterator, Sequence
from typing import Any

from hypothesis import strategies as st

from panko.storage.models import INT64, NAME_LENGTH, Event, Trait, TraitType
from tests.functional.api.conftest import ADMIN, MEMBER, SYSTEM
from tests.functional.storage.builders import VALUES, at, trait
from tests.oracle import OPERATORS, Filter, Request, condition

HOSTILE = 400
FILLERS = 4600
"""More events than the first queries of a page read."""

ATOMS = [
    *(
        "a",
        "A",
        "b",
        " ",
        "%",
        "_",
        "'",
        '"',
        "\\",
        "\\n",
        "\n",
        "\r\n",
        "\t",
        "\x01",
        "\x1b",
        "\x7f",
        "\x85",
        "/",
        "?",
    ),
    *(
        "é",
        "e\u0301",
        "\u0301",
        "ß",
        "ẞ",
        "I",
        "İ",
        "\u0131",
        "\u200b",
        "\u202e",
        "\u2028",
        "\ufeff",
        "\ud7ff",
        "\ue000",
    ),
    *("\uffff", "\U00010000", "\U0001f600", "\U0001f1e9\U0001f1ea", "\U0010ffff", "0", "1e5", "null", "$", "$$", ";--"),
    *("{}", "[]", ",", ":", "&", "=", "+", "%00", "%s", "%(x)s", ":x", "\\u0041", "<b>"),
]
NAMES = [
    *("size", "Size", "size ", "ratio", "launched_at", "service", "name", "type", "value", "é", "e\u0301", "$.name"),
    *('a"b', "a\\b", "a'b", "%", "_", "\n", "x" * NAME_LENGTH, "\U0001f600" * NAME_LENGTH),
]
FIELDS = ["event_type", "message_id", "start_timestamp", "end_timestamp", "all_tenants"]
"""Names of traits that no filter can name."""
EVENT_TYPES = [
    *("filler.rare", "t", "T", "t ", " t", "é", "e\u0301", "%", "_", "t'", 't"', "t\\", "\x01"),
    *("x" * NAME_LENGTH, "\U0001f600" * NAME_LENGTH),
]
PROJECTS = ["proj-0", "proj-1", "PROJ-0", "p'\"\\%_", "p" * 64, "p" * 65, "p" * 400]
USERS = ["user-0", "user-1", "USER-0", "u" * 300]
NAMELESS_OWNERS = ["", " ", "proj-0 ", "é", "\U0001f600", "\x01", "\x01" + "0" * 64]
"""Owners that no header can name."""

FILLER_SERVICES = [
    *[["active"]] * 80,
    *[["error", "active"]] * 15,
    *[["active", each] for each in ("é", "ERROR", "e\u0301")],
]
TWINS = [
    *(
        "",
        " ",
        "a",
        "A",
        "a ",
        "a\n",
        "á",
        "a\u0301",
        "\uff41",
        "é",
        "e\u0301",
        "ß",
        "ss",
        "\U0001f600",
        "\U0001f601",
        "0",
        "0.0",
    ),
    *("\uffff", "\ue000", "\\", "\\\\", "%", "_", "x" * 300, "x" * 301, "x" * 300 + "y", "x" * 3000, "x" * 3000 + " "),
]
"""Texts that a careless comparison would confuse or sort wrongly."""

RAWS = [
    *(
        {},
        {"a": {}},
        {"b": 1, "a": [1, -0.0, 5e-324, 1e308, 10**30]},
        {"": None},
        {"\x00": "\x00\ud800'\"\\\U0001f600"},
    ),
    *([], [[]], "", "text", 0, -0.0, 1, False, True, {"raw": "{}"}, {"\u2028": ["\x7f"]}, {"long": "x\\" * 3000}),
]

ALL_TENANTS = Filter("all_tenants", "True")
COMMON = [
    *(Filter("service", "active"), Filter("service", "b", "gt"), Filter("ratio", "0", "eq", "float")),
    *(
        Filter("ratio", "0.1", "ge", "float"),
        Filter("size", "2", "ge", "integer"),
        Filter("size", "50", "ne", "integer"),
    ),
    *(Filter("launched_at", at(seconds=each).isoformat(), "eq", "datetime") for each in range(2)),
]
"""Trait filters that each match more events than a page needs."""

COMMON_ON_FIELDS = [
    *(Filter("event_type", "filler.common"), Filter("event_type", "filler.other")),
    Filter("start_timestamp", at(seconds=200).isoformat(), "ge"),
    Filter("end_timestamp", at(seconds=1200).isoformat(), "le"),
]

FEW = 8
"""Maximum number of traits of an event from which filters are made."""

YES_OR_NO = ["True", "true", " TRUE ", "1", "on", "yes", "t", "False", "0", "", "maybe", "tru"]
UNSTORABLE = ["\x00", "a\x00", "\ud800", "\udfffa"]
ANY_FLOAT = ["1e400", "0", "-0", "1e-400"]
NOT_FINITE = [Filter("ratio", text, op, "float") for text in ("inf", "-inf", "nan") for op in OPERATORS]
LIMITS = [0, 1, 2, 3, 5, 10, 50, 99, 100, 101, 249, 250, 251, 499, 500, 501, 999, 1000, 1001, 2001, 100000, 2**70]
SORTS = [f"{key}{direction}" for key in ("generated", "message_id") for direction in ("", ":", ":asc", ":desc")]
UNLIMITED = [ADMIN, SYSTEM, {**SYSTEM, "X-Roles": "Admin"}, *({**ADMIN, "X-Project-Id": each} for each in PROJECTS)]
LIMITED = [
    *(MEMBER, {**MEMBER, "OpenStack-System-Scope": "all"}, {**MEMBER, "X-Roles": "member, admin"}),
    *({**MEMBER, "X-Project-Id": project} for project in PROJECTS),
    *({**MEMBER, "X-Project-Id": project, "X-User-Id": user} for project in PROJECTS[:3] for user in USERS),
]
NOBODIES = [{**ADMIN, "X-Project-Id": ""}, {**SYSTEM, "X-Roles": "member"}, {**SYSTEM, "X-User-Id": ""}]


class Pool:
    """Events with every kind of content, among many common ones.

    :param seed: the same seed gives the same events
    """

    def __init__(self, seed: int):
        self._chance = chance = random.Random(seed)
        # Few, so that several events share one.
        self.values = {
            TraitType.TEXT: _make_texts(chance),
            TraitType.INTEGER: [*VALUES[TraitType.INTEGER], *range(-3, 4)],
            TraitType.FLOAT: [*VALUES[TraitType.FLOAT], 0.0, 1e22, 1e16, 123456789012345680.0, chance.random()],
            TraitType.DATETIME: [*VALUES[TraitType.DATETIME], *(at(seconds=each) for each in range(1, 1500, 200))],
        }
        message_ids = {*ATOMS, *(atom * (NAME_LENGTH // len(atom)) for atom in ATOMS)}
        while len(message_ids) < HOSTILE:
            message_ids.add("".join(chance.choices(ATOMS, k=chance.randint(2, 9))))
        self.hostile = [self._hostile_event(message_id) for message_id in sorted(message_ids)]
        self.fillers = [self._filler(number) for number in range(FILLERS)]
        self.events = [*self.hostile, *self.fillers]
        chance.shuffle(self.events)

    def _hostile_event(self, message_id: str) -> Event:
        chance = self._chance
        traits = []
        for _ in range(chance.randrange(5)):
            name, dtype = chance.choice(NAMES + FIELDS), chance.choice([*TraitType, *TraitType, 0])
            traits += (self._trait(name, dtype) for _ in range(chance.choice([1, 1, 3])))
        if chance.random() < 0.6:
            traits.append(trait("service", chance.choice(TWINS)))
        if chance.random() < 0.7:
            traits += [trait("project_id", chance.choice(PROJECTS)), trait("user_id", chance.choice(USERS))]
        if chance.random() < 0.3:
            name = chance.choice(["project_id", "user_id"])
            owner = trait(name, chance.choice([*PROJECTS[:2], *USERS[:2], *NAMELESS_OWNERS]))
            traits += chance.choice([[owner], [self._trait(name, chance.choice([*TraitType, 0]))]])
        chance.shuffle(traits)
        generated = chance.choice(self.values[TraitType.DATETIME])
        return Event(message_id, chance.choice(EVENT_TYPES), generated, traits, chance.choice(RAWS))

    def _trait(self, name: str, dtype: int) -> Trait:
        return Trait(name, dtype, self._chance.choice(self.values[dtype or TraitType.TEXT]))

    def _filler(self, number: int) -> Event:
        chance = self._chance
        traits = [
            *(trait("ratio", chance.choice([-0.0, 0.0, 0.1, 0.3, 1e22])) for _ in range(number % 2)),
            trait("launched_at", at(seconds=chance.randrange(8))),
            *(trait("service", each) for each in chance.choice(FILLER_SERVICES)),
            # Some have so many that there are more sizes than a range search reads.
            *(trait("size", chance.randrange(100)) for _ in range(1 if number % 12 else chance.randrange(5, 60))),
        ]
        if number % 3:
            traits += [trait("project_id", PROJECTS[number % 2]), trait("user_id", chance.choice(USERS[:2]))]
        (event_type,) = chance.choices(["filler.common", "filler.other", "filler.rare"], [80, 19, 1])
        return Event(f"filler {number:04}", event_type, at(seconds=chance.randrange(1500)), traits)


def _make_texts(chance: random.Random) -> list[str]:
    long = [chance.choice(ATOMS) * times for times in (301, 301, 400, 3001, 4000)]
    return [
        *(*VALUES[TraitType.TEXT], *TWINS),
        *("".join(chance.choices(ATOMS, k=chance.randint(1, 5))) for _ in range(50)),
        *(text + end for text in long for end in ("", "a", " ")),
        *('{"name":"service","value":"active","type":"string"}', '"},{"name":"size","value":"1","type":"integer'),
    ]


def _wire_texts(dtype: int, value) -> list[str]:
    """Return texts for a value in a filter."""
    if dtype == TraitType.INTEGER:
        return [str(value), f" {value}"]
    if dtype == TraitType.FLOAT:
        return [repr(value), f"{value:.17e}"]
    if dtype == TraitType.DATETIME:
        return _times(value)
    return [value]


def _times(value: datetime.datetime) -> list[str]:
    texts = [value.isoformat(), f"{value.isoformat()}Z", value.isoformat(timespec="microseconds")]
    for hours in (2, -11.5):
        with contextlib.suppress(OverflowError):
            zone = datetime.timezone(datetime.timedelta(hours=hours))
            texts.append(value.replace(tzinfo=datetime.UTC).astimezone(zone).isoformat())
    return texts


def _bounds(time: datetime.datetime) -> list[Filter]:
    """Return filters with bounds that just include a time."""
    texts = ["", *_times(time)]
    milliseconds, rest = divmod(time - datetime.datetime(1970, 1, 1), datetime.timedelta(milliseconds=1))
    if not rest and 10**10 <= milliseconds < 10**14:
        texts.append(str(milliseconds))
        if milliseconds % 1000 == 0 and 10**9 <= milliseconds // 1000 < 10**10:
            texts.append(str(milliseconds // 1000))
    return [Filter(f"{end}_timestamp", text, op) for end, op in (("start", "ge"), ("end", "le")) for text in texts]


def _near(dtype: int, value: Any) -> list[Any]:
    """Return a value and its neighbours."""
    if dtype == TraitType.INTEGER:
        return [each for each in (value, value - 1, value + 1) if each in INT64]
    if dtype == TraitType.FLOAT:
        return [value, math.nextafter(value, -math.inf), math.nextafter(value, math.inf)]
    if dtype == TraitType.DATETIME:
        least = datetime.timedelta.resolution
        return [value, max(value, value.min + least) - least, min(value, value.max - least) + least]
    return [value, value[:-1], f"{value} "]


def _filters_about(event: Event) -> list[list[Filter]]:
    """Return filters that an event matches, one list per field."""
    groups = {name: [] for name in sorted({trait.name for trait in event.traits}.difference(FIELDS))}
    for own in event.traits[:FEW]:
        if own.name in groups:
            groups[own.name] += _filters_about_trait(own)
    fields = [Filter("event_type", event.event_type), Filter("message_id", event.message_id)]
    given = [fields, _bounds(event.generated), *groups.values()]
    return [met for group in given if (met := [each for each in group if condition(each)(event)])]


def _filters_about_trait(own: Trait) -> Iterator[Filter]:
    label = TraitType(own.dtype or TraitType.TEXT).label
    for text in _wire_texts(own.dtype, own.value):
        for op in ("eq", "eq", "eq", "le", "ge"):
            yield Filter(own.name, text, op, label)
    for value in _beside(own.dtype, own.value):
        for text in _wire_texts(own.dtype, value):
            for op in ("lt", "ne", "gt"):
                yield Filter(own.name, text, op, label)


def _beside(dtype: int, value: Any) -> list[Any]:
    """Return the neighbours of a value."""
    if dtype == TraitType.INTEGER:
        return [each for each in (value - 1, value + 1) if each in INT64]
    if dtype == TraitType.FLOAT:
        return [math.nextafter(value, -math.inf), math.nextafter(value, math.inf)]
    if dtype == TraitType.DATETIME:
        least = datetime.timedelta.resolution
        return [max(value, value.min + least) - least, min(value, value.max - least) + least]
    return [value[:-1], f"{value} "]


def requests(pool: Pool) -> st.SearchStrategy[Request]:
    """Return a strategy for requests, most of which match some events of the pool."""
    message_ids = _one_of([event.message_id for event in pool.events])
    texts = _one_of(pool.values[TraitType.TEXT] + UNSTORABLE) | st.text(max_size=5)
    any_filters = _any_filters(pool, message_ids, texts)
    about_goals = (_one_of(pool.fillers) | _one_of(pool.hostile)).map(_filters_about)
    oldest, newest = st.just([]), st.just(["generated:desc"])
    sorts = _weighted((1, oldest), (1, newest), (1, st.lists(_one_of(SORTS), max_size=3)))
    limits = st.none() | st.integers(1, 120) | _one_of(LIMITS)
    crowd_markers = st.none() | _one_of([event.message_id for event in pool.fillers])

    @st.composite
    def for_some_event(draw: st.DrawFn) -> Request:
        about_goal = _one_of(draw(about_goals)).flatmap(_one_of)
        fewest = draw(_one_of([0, 1, 2]))
        filters = draw(st.lists(_weighted((11, about_goal), (1, any_filters)), min_size=fewest, max_size=4))
        callers = draw(_one_of([UNLIMITED] * 9 + [LIMITED] * 4 + [NOBODIES]))
        if draw(_weighted((15, st.just(callers is UNLIMITED)), (1, st.booleans()))):
            filters.insert(draw(st.integers(0, len(filters))), ALL_TENANTS)
        marker = draw(_weighted((12, st.none()), (6, message_ids), (1, texts)))
        return Request(draw(_one_of(callers)), tuple(filters), tuple(draw(sorts)), draw(limits), marker)

    @st.composite
    def for_the_crowd(draw: st.DrawFn) -> Request:
        filters = draw(st.lists(_one_of(COMMON), min_size=1, max_size=2))
        filters += draw(_weighted((2, st.just([])), (1, st.lists(_one_of(COMMON_ON_FIELDS), max_size=2))))
        caller, all_tenants = draw(_one_of([(ADMIN, [ALL_TENANTS])] * 4 + [(ADMIN, []), (SYSTEM, []), (MEMBER, [])]))
        return Request(caller, (*filters, *all_tenants), tuple(draw(sorts)), draw(limits), draw(crowd_markers))

    return for_some_event() | for_the_crowd()


def _any_filters(pool: Pool, message_ids: st.SearchStrategy, texts: st.SearchStrategy) -> st.SearchStrategy[Filter]:
    """Return a strategy for independent filters."""
    more = {TraitType.TEXT: UNSTORABLE, TraitType.FLOAT: ANY_FLOAT}
    wire_texts = {
        each: _one_of([text for value in values for text in _wire_texts(each, value)] + more.get(each, []))
        for each, values in pool.values.items()
    }
    names, operators = _one_of(NAMES + UNSTORABLE), _one_of(list(OPERATORS))
    return st.one_of(
        *(st.builds(Filter, names, wire_texts[each], operators, st.just(each.label)) for each in TraitType),
        st.builds(Filter, names, texts, operators),
        st.builds(Filter, st.just("event_type"), _one_of(EVENT_TYPES) | texts),
        st.builds(Filter, st.just("message_id"), message_ids | texts),
        st.builds(Filter, st.just("all_tenants"), _one_of(YES_OR_NO)),
        *[_one_of(NOT_FINITE)] * 2,
        _one_of([bound for time in pool.values[TraitType.DATETIME] for bound in _bounds(time)]),
    )


def _one_of(values: Sequence) -> st.SearchStrategy:
    """Return a strategy that draws one of the values; sampled_from would inspect all values first."""
    return st.integers(0, len(values) - 1).map(values.__getitem__)


def _weighted(*choices: tuple[int, st.SearchStrategy]) -> st.SearchStrategy:
    """Return a strategy that draws from others by weight."""
    return _one_of([each for times, each in choices for _ in range(times)]).flatmap(lambda chosen: chosen)
