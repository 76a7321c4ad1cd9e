"""FindItem: restrictions, order, pages."""

from __future__ import annotations

import pytest
from exchangelib import Account, Q
from exchangelib.folders import Calendar, FolderCollection

from tests.lab.exchange.conftest import Lab
from tests.lab.exchange.events import at, event, raw


@pytest.fixture
def filled(ada: Account) -> Account:
    """Ada's calendar with five events in March."""
    for number in range(5):
        day = number + 1
        event(
            ada,
            subject=f"Event {number}",
            start=at(2026, 3, day, 9),
            end=at(2026, 3, day, 10),
            categories=["odd" if number % 2 else "even"],
            location="Room" if number else None,
        ).save()
    return ada


def titles(query: object) -> list[str]:
    """Titles that a query finds."""
    return [found.subject[-1] for found in query.only("subject")]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (Q(subject="Event 2"), ["2"]),
        (Q(subject__startswith="Event"), ["0", "1", "2", "3", "4"]),
        (Q(subject__icontains="EVENT 3"), ["3"]),
        (Q(subject__contains="EVENT 3"), []),
        (Q(start__gte=at(2026, 3, 4)), ["3", "4"]),
        (Q(start__lt=at(2026, 3, 2)), ["0"]),
        (Q(start__range=(at(2026, 3, 2), at(2026, 3, 4))), ["1", "2"]),
        (Q(categories__contains=["odd"]), ["1", "3"]),
        (Q(location__exists=False), ["0"]),
        (Q(subject__in=["Event 1", "Event 4"]), ["1", "4"]),
        (Q(subject="Event 1") | Q(start__gte=at(2026, 3, 5)), ["1", "4"]),
        (Q(location="Room") & ~Q(subject="Event 1"), ["2", "3", "4"]),
        (Q(is_all_day=True), []),
    ],
    ids=str,
)
def test_it_restricts(filled: Account, query: Q, expected: list[str]) -> None:
    assert titles(filled.calendar.filter(query)) == expected


def test_it_sorts(filled: Account) -> None:
    assert titles(filled.calendar.all().order_by("-start")) == ["4", "3", "2", "1", "0"]
    assert titles(filled.calendar.all().order_by("location", "-subject"))[0] == "0"


def test_it_pages(filled: Account) -> None:
    query = filled.calendar.all().order_by("subject")
    query.page_size = 2
    assert titles(query) == ["0", "1", "2", "3", "4"]
    part = filled.calendar.all().order_by("subject").only("subject")[1:3]
    assert [found.subject for found in part] == ["Event 1", "Event 2"]


def test_it_searches_several_folders(filled: Account) -> None:
    side = Calendar(parent=filled.calendar, name="Side").save()
    item = event(filled, subject="Event 9")
    item.folder = side
    item.save()
    both = FolderCollection(account=filled, folders=[filled.calendar, side])
    assert sorted(titles(both.all())) == ["0", "1", "2", "3", "4", "9"]


def test_a_view_shows_what_overlaps(filled: Account) -> None:
    view = filled.calendar.view(at(2026, 3, 2, 9, 30), at(2026, 3, 4, 9))
    assert titles(view) == ["1", "2"]


def test_it_does_not_give_bodies_to_finditem(lab: Lab, filled: Account) -> None:
    query = (
        '<m:FindItem Traversal="Shallow" {ns}><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape>'
        '<t:AdditionalProperties><t:FieldURI FieldURI="item:Body"/></t:AdditionalProperties></m:ItemShape>'
        '<m:ParentFolderIds><t:DistinguishedFolderId Id="calendar"/></m:ParentFolderIds></m:FindItem>'
    )
    assert "ErrorInvalidPropertyRequest" in raw(lab, filled, query)


def test_it_resolves_names(ada: Account) -> None:
    assert ada.protocol.version.build is not None
    (found,) = ada.protocol.resolve_names(["bob"])
    assert found.email_address == "bob@lab.example"
