# SPDX-License-Identifier: Apache-2.0
"""Older and newer pages, the page around an event, and columns."""

import datetime

import pytest

from panko import service
from panko.explorer.views.table import PAGE_EVENTS
from panko.storage import get_connection
from panko.storage.models import Event, Trait
from tests.functional.api.conftest import MEMBER
from tests.functional.explorer.pages import Pages, ids_of, link

NOON = datetime.datetime(2024, 1, 15, 12)
COUNT = 250


@pytest.fixture
def storage(sqlite_url):
    """A database with events, each seven of which have the same time."""
    connection = get_connection(sqlite_url, service.prepare_service([], config_files=[], share=True))
    connection.upgrade()
    store(connection, range(COUNT))
    yield connection
    connection.close()


def store(connection, numbers):
    connection.record_events(
        [
            Event(f"{number:04}", "t", NOON + datetime.timedelta(seconds=number // 7), [Trait("n", 2, number)])
            for number in numbers
        ]
    )


@pytest.fixture
def table(storage, load_app, sqlite_url):
    """The pages of these events."""
    return Pages(load_app(sqlite_url))


def names(numbers):
    return [f"{number:04}" for number in numbers]


NEWEST = names(range(COUNT - 1, -1, -1))


def walk(pages, page, text):
    """Return the pages to which a link and those of the next pages lead, with the first one."""
    found = [page]
    while url := link(found[-1], text):
        found.append(pages.page(url))
    return found


def test_each_event_is_on_one_page_there_and_back(table):
    older = walk(table, table.page("?range=all"), "Older")
    assert [each for page in older for each in ids_of(page)] == NEWEST
    assert [len(ids_of(page)) for page in older] == [100, 100, 50]
    newer = walk(table, older[-1], "Newer")
    assert [ids_of(page) for page in newer] == [ids_of(page) for page in older[::-1]]
    assert link(newer[-1], "Newest") is None
    assert ids_of(table.page(link(older[-1], "Newest"))) == NEWEST[:100]


def test_newer_pages_go_to_the_newest_events(table, storage):
    second = table.page(link(table.page("?range=all"), "Older"))
    store(storage, range(COUNT, COUNT + 30))
    pages = walk(table, second, "Newer")
    assert [ids_of(page) for page in pages[1:]] == [names(range(249, 149, -1)), names(range(279, 179, -1))]
    assert link(pages[-1], "Newer") is None


def test_deletion_between_pages_repeats_and_skips_nothing(table, storage):
    first = table.page("?range=all")
    second = table.page(link(first, "Older"))
    storage.clear_expired_data(1)
    assert ids_of(table.page("?range=all")) == []
    emptied = table.page(link(second, "Older"))
    assert ids_of(emptied) == []
    assert link(emptied, "Older") is None
    store(storage, range(COUNT, COUNT + 3))
    assert ids_of(table.page(link(emptied, "Newest"))) == names([252, 251, 250])
    assert ids_of(table.page(link(second, "Newer"))) == names([252, 251, 250])


def test_the_events_of_the_last_page_are_deleted_partly(table, storage):
    second = table.page(link(table.page("?range=all"), "Older"))
    older = link(second, "Older")
    storage.clear_expired_data(1)
    store(storage, range(40))
    assert ids_of(table.page(older)) == names(range(39, -1, -1))


@pytest.mark.parametrize("number", [249, 151, 149, 100, 55, 30, 0])
def test_the_page_that_marks_an_event_has_it(table, number):
    page = table.page(f"?range=all&highlight={number:04}")
    assert page.xpath("//tr[@aria-current='true']/@data-id") == names([number])
    is_new = number >= COUNT - PAGE_EVENTS
    assert len(ids_of(page)) == (PAGE_EVENTS if is_new else min(PAGE_EVENTS + 1, PAGE_EVENTS // 2 + 1 + number))
    older, newer = walk(table, page, "Older"), walk(table, page, "Newer")
    assert [each for part in older for each in ids_of(part)] == NEWEST[NEWEST.index(ids_of(page)[0]) :]
    seen = [each for part in newer[::-1] for each in ids_of(part)]
    assert set(seen) >= set(NEWEST[: NEWEST.index(ids_of(page)[-1]) + 1])
    if url := link(page, "Newest"):
        assert ids_of(table.page(url)) == NEWEST[:100]


def test_an_event_that_the_filters_exclude_is_not_marked(table):
    page = table.page("?range=all&search=n+>+200&highlight=0100")
    assert ids_of(page) == names(range(249, 200, -1))
    assert ids_of(table.page("?range=all&highlight=nothing")) == NEWEST[:100]


def test_a_place_is_only_for_who_got_it(table):
    older = link(table.page("?range=all"), "Older")
    assert "after" in table.page(older, MEMBER, 400).text_content()
    table.page("?range=all&after=invalid", status=400)
    table.page("?range=all&before=" + "A" * 200, status=400)


def columns_of(page):
    return [each.text_content() for each in page.xpath("//th/span/bdi")]


def test_columns_are_added_and_removed(table):
    page = table.page("?range=all&search=n+<+5")
    assert columns_of(page) == ["display_name", "resource_id", "project_id", "user_id"]
    form = page.xpath("//details[contains(@class, 'columns')]//form")[0]
    given = [*form.form_values(), ("column", "n")]
    added = table.page("?" + "&".join(f"{name}={value}" for name, value in given if value))
    assert columns_of(added) == ["display_name", "resource_id", "project_id", "user_id", "n"]
    assert ids_of(added) == names([4, 3, 2, 1, 0])
    assert [each.text_content() for each in added.xpath("//td[@data-label='n']")] == ["4", "3", "2", "1", "0"]
    removed = added
    for name in ["display_name", "resource_id", "project_id", "user_id", "n"]:
        (url,) = removed.xpath(f"//a[@aria-label='Remove the column {name}']/@href")
        removed = table.page(url.removeprefix("/explorer"))
    assert columns_of(removed) == []
    assert ids_of(removed) == names([4, 3, 2, 1, 0])
    assert columns_of(table.page(link(removed, "usual columns"))) == columns_of(page)
