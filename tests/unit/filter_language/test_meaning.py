# SPDX-License-Identifier: Apache-2.0
"""What each construct of the filter language means, as a condition."""

import datetime
import subprocess
import sys

import pytest

from panko.filter_language import ParsedFilter, parse, parse_all
from panko.storage.conditions import (
    ALL_EVENTS,
    CONTAINS,
    EXISTS,
    NO_EVENT,
    And,
    Comparison,
    Not,
    Or,
    Pattern,
    Subject,
    any_of,
)
from panko.storage.models import TraitType

TEXT, INTEGER, FLOAT, DATETIME = TraitType
TYPE, ID, GENERATED, ANY = Subject.EVENT_TYPE, Subject.MESSAGE_ID, Subject.GENERATED, Subject.ANY_TRAIT
NOW = datetime.datetime(2026, 1, 2, 3, 4, 5, 600000)
DAY = datetime.datetime(2026, 1, 2)


def text(name, op, *values):
    return Comparison(name, TEXT, op, values)


def number(name, op, integer, real):
    return Or((Comparison(name, INTEGER, op, (integer,)), Comparison(name, FLOAT, op, (real,))))


def equal(name, value, integer, real=None):
    real = float(integer) if real is None else real
    return Or((text(name, "eq", value), *number(name, "eq", integer, real).children))


def time(op, value, name=GENERATED):
    return Comparison(name, DATETIME, op, (value,))


def bare(value):
    return Or(tuple(text(subject, CONTAINS, value) for subject in (TYPE, ID, ANY)))


A, B, C = (text(name, "eq", "x") for name in "abc")
X1, XT = "x = 1", datetime.datetime(2026, 1, 2, 3)

MEANINGS = {
    # Values of fields and traits
    "event_type = compute.instance.create.end": text(TYPE, "eq", "compute.instance.create.end"),
    "event_type = compute.instance.*": text(TYPE, "eq", Pattern(("compute.instance.", ""))),
    "event_type = *.i*.end": text(TYPE, "eq", Pattern(("", ".i", ".end"))),
    "event_type = a**b": text(TYPE, "eq", Pattern(("a", "b"))),
    "event_type = (a OR b OR c.*)": text(TYPE, "eq", "a", "b", Pattern(("c.", ""))),
    "event_type != (a OR b)": text(TYPE, "ne", "a", "b"),
    "event_type : create": text(TYPE, CONTAINS, "create"),
    "event_type : *": ALL_EVENTS,
    "message_id == 5": text(ID, "eq", "5"),
    "message_id : *": ALL_EVENTS,
    "vcpus >= 4": number("vcpus", "ge", 4, 4.0),
    "vcpus > +4.0": number("vcpus", "gt", 4, 4.0),
    "port = 80": equal("port", "80", 80),
    "port = 8e1": equal("port", "8e1", 80),
    "port != 80": Or((text("port", "ne", "80"), *number("port", "ne", 80, 80.0).children)),
    "port = '80'": text("port", "eq", "80"),
    'port = "80"': text("port", "eq", "80"),
    "port < '80'": text("port", "lt", "80"),
    "port : 80": text("port", CONTAINS, "80"),
    "port = 80*": text("port", "eq", Pattern(("80", ""))),
    "integer::vcpus = 4": Comparison("vcpus", INTEGER, "eq", (4,)),
    "integer::vcpus != (4 OR 8)": Comparison("vcpus", INTEGER, "ne", (4, 8)),
    "integer::vcpus = '4'": Comparison("vcpus", INTEGER, "eq", (4,)),
    "float::load < 4": Comparison("load", FLOAT, "lt", (4.0,)),
    "string::port = 80": text("port", "eq", "80"),
    "string::event_type = x": text("event_type", "eq", "x"),
    "string::all_tenants : *": text("all_tenants", EXISTS),
    "a != (4 OR x)": Or((text("a", "ne", "4", "x"), *number("a", "ne", 4, 4.0).children)),
    "a = (x OR x)": A,
    "launched_at > 2026-01-02T03:00Z": time("gt", XT, "launched_at"),
    "launched_at > 2026-01-02T05:00+02:00": time("gt", XT, "launched_at"),
    "launched_at = 2026-01-02": Or((text("launched_at", "eq", "2026-01-02"), time("eq", DAY, "launched_at"))),
    "version = 2026-99-99": text("version", "eq", "2026-99-99"),
    "offset = -2h": text("offset", "eq", "-2h"),
    "offset < '-2h'": text("offset", "lt", "-2h"),
    "datetime::a = -2h": time("eq", NOW - datetime.timedelta(hours=2), "a"),
    "datetime::a = '2026-01-02 03:00'": time("eq", XT, "a"),
    "generated >= -2h": time("ge", NOW - datetime.timedelta(hours=2)),
    "generated >= -1d12h": time("ge", NOW - datetime.timedelta(hours=36)),
    "generated >= -1.5h": time("ge", NOW - datetime.timedelta(minutes=90)),
    "generated < 2026-01-02": time("lt", DAY),
    "generated < 2026": time("lt", datetime.datetime(2026, 1, 1)),
    "generated != 20260102": time("ne", DAY),
    "generated = (2026-01-02 OR 2026)": Comparison(GENERATED, DATETIME, "eq", (DAY, datetime.datetime(2026, 1, 1))),
    "start_timestamp >= 1767312000": time("ge", DAY),
    "end_timestamp <= 1767312000000": time("le", DAY),
    # Contents and presence
    "display_name : web": text("display_name", CONTAINS, "web"),
    "display_name:web": text("display_name", CONTAINS, "web"),
    "display_name : (web OR db)": text("display_name", CONTAINS, "web", "db"),
    "display_name : *": any_of(Comparison("display_name", type_, EXISTS) for type_ in TraitType),
    "integer::a : *": Comparison("a", INTEGER, EXISTS),
    "nova-1": bare("nova-1"),
    '"no valid host"': bare("no valid host"),
    "'and'": bare("and"),
    "'*'": bare("*"),
    "5": bare("5"),
    # Names, quotes and escapes
    '"näme with blanks" = x': text("näme with blanks", "eq", "x"),
    "'a' = x": A,
    '"a\\"\\\\*" = x': text('a"\\*', "eq", "x"),
    "and = x": text("and", "eq", "x"),
    '"NOT" = x': text("NOT", "eq", "x"),
    "a!b = x": text("a!b", "eq", "x"),
    "integer::'a b' = 4": Comparison("a b", INTEGER, "eq", (4,)),
    "x = -1.5": Or((text("x", "eq", "-1.5"), Comparison("x", FLOAT, "eq", (-1.5,)))),
    "x=-b": text("x", "eq", "-b"),
    "x!=-b": text("x", "ne", "-b"),
    "u = http://h:80/?a=b": text("u", "eq", "http://h:80/?a=b"),
    "u : fe80::1": text("u", CONTAINS, "fe80::1"),
    "ip=::1": text("ip", "eq", "::1"),
    "string::u:a:b": text("u", CONTAINS, "a:b"),
    "s = OR": text("s", "eq", "OR"),
    "s = ('OR' OR \"AND\")": text("s", "eq", "OR", "AND"),
    "s = it's": text("s", "eq", "it's"),
    's = a"b': text("s", "eq", 'a"b'),
    's = a\\ \\(b\\)\\*\\\\\\"': text("s", "eq", 'a (b)*\\"'),
    's = "a (b) = c\\*"': text("s", "eq", "a (b) = c*"),
    's = "a *"': text("s", "eq", Pattern(("a ", ""))),
    "s = 'a\\*'": text("s", "eq", "a\\*"),
    "s = ''": text("s", "eq", ""),
    "s=x(a = x)": And((text("s", "eq", "x"), A)),
    # NOT, AND, OR
    "NOT a = x": Not(A),
    "-a = x": Not(A),
    "NOT NOT a = x": A,
    "--a = x": A,
    "---a = x": Not(A),
    "-NOT a = x": A,
    "NOT(a = x)": Not(A),
    "-(a = x OR b = x)": Not(Or((A, B))),
    "-5": Not(bare("5")),
    "a -b": And((bare("a"), Not(bare("b")))),
    "NOT display_name : *": Not(any_of(Comparison("display_name", type_, EXISTS) for type_ in TraitType)),
    "NOT event_type : *": NO_EVENT,
    "a = x AND b = x AND c = x": And((A, B, C)),
    "a = x b = x": And((A, B)),
    "a=x AND(b=x)c=x": And((A, B, C)),
    "a = x OR b = x OR c = x": Or((A, B, C)),
    "a = x OR a = y": text("a", "eq", "x", "y"),
    "a = x AND (b = x OR NOT c = x)": And((A, Or((B, Not(C))))),
    "(a = x AND b = x) OR c = x": Or((And((A, B)), C)),
    "NOT a = x OR b = x": Or((Not(A), B)),
    "NOT-a": bare("NOT-a"),
    "\n a = x\tAND\u3000b = x\n": And((A, B)),
    "": ALL_EVENTS,
    " \n": ALL_EVENTS,
}


@pytest.mark.parametrize("given", MEANINGS)
def test_a_text_becomes_a_condition(given) -> None:
    assert parse(given, NOW).condition == MEANINGS[given]


HALF_TINY = 5e-324
MAX_FLOAT = 1.7976931348623157e308
EXISTS_BOTH = (Comparison("x", INTEGER, EXISTS), Comparison("x", FLOAT, EXISTS))


def both(*comparisons):
    return Or(tuple(Comparison("x", type_, op, (value,)) for type_, op, value in comparisons))


NUMBERS = {
    "x < 4.5": both((INTEGER, "le", 4), (FLOAT, "lt", 4.5)),
    "x <= -4.5": both((INTEGER, "le", -5), (FLOAT, "le", -4.5)),
    "x > 4.5": both((INTEGER, "ge", 5), (FLOAT, "gt", 4.5)),
    "x >= -4.5": both((INTEGER, "ge", -4), (FLOAT, "ge", -4.5)),
    "x > 0.1": both((INTEGER, "ge", 1), (FLOAT, "gt", 0.1)),
    "x > 0.1000000000000000000001": both((INTEGER, "ge", 1), (FLOAT, "ge", 0.10000000000000002)),
    "x < 0.1000000000000000000001": both((INTEGER, "le", 0), (FLOAT, "le", 0.1)),
    "x <= 0.0999999999999999999999": both((INTEGER, "le", 0), (FLOAT, "le", 0.09999999999999999)),
    "x >= 0.0999999999999999999999": both((INTEGER, "ge", 1), (FLOAT, "ge", 0.1)),
    "x > -0": both((INTEGER, "gt", 0), (FLOAT, "gt", 0.0)),
    "x >= 1e-400": both((INTEGER, "ge", 1), (FLOAT, "ge", HALF_TINY)),
    "x <= -1e-400": both((INTEGER, "le", -1), (FLOAT, "le", -HALF_TINY)),
    "x >= 9223372036854775807": both((INTEGER, "ge", 2**63 - 1), (FLOAT, "ge", 2.0**63)),
    "x >= 9223372036854775808": Comparison("x", FLOAT, "ge", (2.0**63,)),
    "x < 1e999999999": Or((Comparison("x", INTEGER, EXISTS), Comparison("x", FLOAT, "le", (MAX_FLOAT,)))),
    "x > 1e99999999999999999999999999": NO_EVENT,
    "x < -1e999999999": NO_EVENT,
    "x > -1e400": Or((Comparison("x", INTEGER, EXISTS), Comparison("x", FLOAT, "ge", (-MAX_FLOAT,)))),
    "x > 0e999999999": both((INTEGER, "gt", 0), (FLOAT, "gt", 0.0)),
    "integer::x = 4.5": NO_EVENT,
    "integer::x != 4.5": Comparison("x", INTEGER, EXISTS),
    "integer::x != (4.5 OR 4)": Comparison("x", INTEGER, "ne", (4,)),
    "integer::x = 1e3": Comparison("x", INTEGER, "eq", (1000,)),
    "integer::x = 1e30": NO_EVENT,
    "float::x = 0.1": Comparison("x", FLOAT, "eq", (0.1,)),
    "float::x = 0.10000000000000000555": NO_EVENT,
    "float::x != 0.10000000000000000555": Comparison("x", FLOAT, EXISTS),
    "float::x = 9007199254740993": NO_EVENT,
    "float::x = (1 OR 1.0 OR 1e400)": Comparison("x", FLOAT, "eq", (1.0,)),
}


@pytest.mark.parametrize("given", NUMBERS)
def test_numbers_compare_by_their_exact_values(given) -> None:
    assert parse(given).condition == NUMBERS[given]
    assert repr(parse(given).condition) == repr(NUMBERS[given])


def test_texts_for_later_pages_have_absolute_times() -> None:
    given = ["generated >= -2h AND (datetime::a < '-1d' OR b = -2h)", "", " generated > 2026 "]
    parsed = parse_all(given, NOW)
    absolute = "generated >= 2026-01-02T01:04:05.600000Z AND (datetime::a < 2026-01-01T03:04:05.600000Z OR b = -2h)"
    assert parsed.texts == (absolute, " generated > 2026 ")
    assert parse_all(parsed.texts, NOW + datetime.timedelta(days=1)) == parsed


def test_now_is_the_current_time_in_utc() -> None:
    before = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
    comparison = parse("generated >= -0s").condition
    assert before <= comparison.values[0] <= datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
    zone = datetime.timezone(datetime.timedelta(hours=2))
    assert parse("generated = -0s", NOW.replace(tzinfo=zone)).condition == time("eq", NOW - datetime.timedelta(hours=2))


def test_several_texts_must_all_hold() -> None:
    assert parse_all(["a = x", "b = x OR c = x"]) == ParsedFilter(And((A, Or((B, C)))), ("a = x", "b = x OR c = x"))
    assert parse_all([]) == parse_all(["", " "]) == ParsedFilter(ALL_EVENTS, ())


def test_storage_and_the_publisher_load_no_parser() -> None:
    """Ceilometer's process imports them; and only the first filter of a process makes the parser."""
    code = "import sys, panko.publisher.database, panko.storage.impl_sqlalchemy; assert 'lark' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
