"""The side against the lab Exchange, beyond the contract: random series, exceptions one by one, photos, strangers."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import exchangelib
import pytest
from exchangelib.items import Contact as StrangeContact
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from syncapp.exchange.ews import landmarks, occurrences, operations
from syncapp.exchange.ews.common import EwsSide
from syncapp.items import Contact, Event, Item
from syncapp.items.elements import Element, elements
from syncapp.items.event import Occurrence
from syncapp.items.values import Email, Frequency, Kind, Photo, Recurrence, Weekday, ZonedTime
from syncapp.side import ChangedMeanwhile, Creation, Deletion, Object, Refused, SideError, Unreachable, Update, Written
from tests.contract import samples
from tests.exchange.ews import strategies
from tests.exchange.ews.lab import HOME, Lab, running

ONCE = settings(
    max_examples=1,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with running(tmp_path_factory.mktemp("lab")) as lab:
        yield lab


@pytest.fixture
def judged(lab: Lab) -> Iterator[Lab]:
    lab.control("DELETE", "faults")
    lab.control("DELETE", "traffic")
    yield lab
    lab.control("DELETE", "faults")
    lab.judge()


@pytest.fixture
def events(judged: Lab) -> Iterator[EwsSide]:
    side = judged.side(Kind.EVENT)
    yield side
    side.close()


@pytest.fixture
def contacts(judged: Lab) -> Iterator[EwsSide]:
    side = judged.side(Kind.CONTACT)
    yield side
    side.close()


@pytest.fixture
def stranger(judged: Lab) -> Iterator[exchangelib.Account]:
    yield judged.stranger()
    exchangelib.close_connections()


def normal(item: Item) -> dict[Element, str]:
    return {path: part.normal for path, part in elements(item).items()}


def default(side: EwsSide) -> str:
    return next(each.id for each in side.folders() if each.default)


def create(side: EwsSide, *items: Item) -> list[Object]:
    folder = default(side)
    results = side.create([Creation(samples.own_id(), samples.uid(), folder, each) for each in items])
    ids = []
    for result in results:
        assert isinstance(result, Written), repr(result)
        assert result.problem is None, repr(result.problem)
        ids.append(result.id)
    return read(side, *ids)


def read(side: EwsSide, *ids: str) -> list[Object]:
    found = side.read(ids)
    objects = [found[id] for id in ids]
    assert not any(isinstance(each, SideError) for each in objects), repr(objects)
    return [each for each in objects if isinstance(each, Object)]


def update(stored: Object, item: Item) -> Update:
    before, after = normal(stored.item), normal(item)
    changed = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
    return Update(stored, item, frozenset(changed))


def edited(stored: Object, **fields: Any) -> Any:
    """The item of an object after somebody edited it."""
    return replace(stored.item, **fields)


def daily(*exceptions: Occurrence, count: int = 6) -> Event:
    start = datetime(2026, 3, 26, 9)
    return Event(
        ZonedTime(start, HOME),
        ZonedTime(start + timedelta(hours=1), HOME),
        title="Stand-up",
        recurrence=Recurrence(Frequency.DAILY, count=count),
        exceptions=exceptions,
    )


def on(day: int, hour: int = 9) -> ZonedTime:
    return ZonedTime(datetime(2026, 3, day, hour), HOME)


# Looks -----------------------------------------------------------------------------------------------------------


def test_a_change_of_the_last_seconds_gives_no_token(contacts: EwsSide) -> None:
    create(contacts, Contact(display_name="Ada"))
    folder = default(contacts)
    assert contacts.look([folder])[folder].token is None


def test_a_settled_folder_has_a_token_that_every_change_changes(
    contacts: EwsSide, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(landmarks, "_SETTLED", timedelta(seconds=-5))
    folder = default(contacts)
    (stored,) = create(contacts, Contact(display_name="Ada"))
    before = contacts.look([folder])[folder].token
    assert before is not None
    assert contacts.look([folder])[folder].token == before
    contacts.delete([Deletion(stored.id, stored.revision)])
    assert contacts.look([folder])[folder].token != before


# Series ----------------------------------------------------------------------------------------------------------


def test_random_series_read_as_projected_and_after_random_edits_too(events: EwsSide) -> None:
    @ONCE
    @given(
        st.lists(strategies.series(), min_size=25, max_size=25), st.lists(strategies.series(), min_size=25, max_size=25)
    )
    def run(first: list[Event], second: list[Event]) -> None:
        stored = create(events, *first)
        assert [normal(each.item) for each in stored] == [normal(events.project(each)) for each in first]
        results = events.update([update(each, item) for each, item in zip(stored, second, strict=True)])
        assert [result for result in results if isinstance(result, SideError) or result.problem] == []
        again = read(events, *(each.id for each in stored))
        assert [normal(each.item) for each in again] == [normal(events.project(each)) for each in second]

    run()


def test_exceptions_of_many_series_take_few_requests(events: EwsSide, judged: Lab) -> None:
    deleted, one = Occurrence(on(27), deleted=True), Occurrence(on(28), values={"title": "One"})
    assert _operations_to_create(events, judged, [daily(deleted, one)] * 10) == _EXCEPTIONS
    # The first change of each series gives it a new change key: the second ones go together, too, after a look.
    series = [daily(deleted, one, Occurrence(on(29), values={"title": "Other"}))] * 10
    assert _operations_to_create(events, judged, series) == [*_EXCEPTIONS[:3], "GetItem", *_EXCEPTIONS[2:]]


_EXCEPTIONS = ["CreateItem", "GetItem", "UpdateItem", "GetItem", "DeleteItem"]
"""Found, changed, seen to be shown; then what is deleted."""


def _operations_to_create(events: EwsSide, judged: Lab, series: list[Event]) -> list[str]:
    folder = default(events)
    judged.control("DELETE", "traffic")
    events.create([Creation(samples.own_id(), samples.uid(), folder, each) for each in series])
    return [each["operation"] for each in judged.control("GET", "traffic")]


def test_an_exception_that_is_taken_back_leaves_the_others(events: EwsSide) -> None:
    one, other = Occurrence(on(27), values={"title": "One"}), Occurrence(on(28), values={"title": "Other"})
    (stored,) = create(events, daily(one, other))
    wanted = edited(stored, exceptions=(other,))
    (result,) = events.update([update(stored, wanted)])
    assert isinstance(result, Written)
    assert result.revision == ""
    (again,) = read(events, stored.id)
    assert normal(again.item) == normal(daily(other))


def test_a_deleted_date_comes_back_and_the_other_exceptions_stay(events: EwsSide) -> None:
    deleted, other = Occurrence(on(27), deleted=True), Occurrence(on(28), values={"title": "Other"})
    (stored,) = create(events, daily(deleted, other))
    (result,) = events.update([update(stored, edited(stored, exceptions=(other,)))])
    assert isinstance(result, Written)
    assert result.problem is None
    (again,) = read(events, stored.id)
    assert normal(again.item) == normal(daily(other))


def test_an_exception_that_somebody_changed_meanwhile_is_not_overwritten(events: EwsSide, judged: Lab) -> None:
    (stored,) = create(events, daily(Occurrence(on(27), values={"title": "One"})))
    somebody = judged.side(Kind.EVENT)
    theirs = edited(stored, exceptions=(Occurrence(on(27), values={"title": "Theirs"}),))
    somebody.update([update(stored, theirs)])
    ours = edited(stored, exceptions=(Occurrence(on(27), values={"title": "Ours"}),))
    (result,) = events.update([update(stored, ours)])
    assert isinstance(result if isinstance(result, SideError) else result.problem, ChangedMeanwhile)
    assert normal(read(somebody, stored.id)[0].item) == normal(daily(*theirs.exceptions))
    somebody.close()


def test_an_exception_that_exchange_refuses_is_named_and_the_rest_is_written(events: EwsSide) -> None:
    # Moved behind its neighbour, which Exchange does not allow.
    crossing = Occurrence(on(27), values={"start": on(28, 11), "end": on(28, 12)})
    fine = Occurrence(on(29), values={"title": "Fine"})
    folder = default(events)
    (result,) = events.create([Creation(samples.own_id(), samples.uid(), folder, daily(crossing, fine))])
    assert isinstance(result, Written)
    assert isinstance(result.problem, Refused)
    assert {path[:2] for path in result.unwritten} == {("exceptions", "20260327T080000Z")}
    (stored,) = read(events, result.id)
    assert normal(stored.item) == normal(daily(fine))


def test_a_series_outlives_the_loss_of_its_exceptions(events: EwsSide, judged: Lab) -> None:
    judged.control("POST", "faults", {"operation": "DeleteItem", "drop": "before", "times": None})
    folder = default(events)
    item = daily(Occurrence(on(27), deleted=True))
    (result,) = events.create([Creation(samples.own_id(), samples.uid(), folder, item)])
    assert isinstance(result, Written)
    assert isinstance(result.problem, Unreachable)
    assert result.unwritten == {("exceptions", "20260327T080000Z")}
    judged.control("DELETE", "faults")
    (stored,) = read(events, result.id)
    (again,) = events.update([update(stored, edited(stored, exceptions=item.exceptions))])
    assert isinstance(again, Written)
    assert again.problem is None
    assert normal(read(events, result.id)[0].item) == normal(item)


def test_occurrences_are_found_by_their_time_when_numbers_mislead(
    events: EwsSide, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a server that counts the dates of a series otherwise."""
    index = occurrences._index

    def shifted(master: Event, original: ZonedTime) -> int | None:
        found = index(master, original)
        return None if found is None else found + 1

    monkeypatch.setattr(occurrences, "_index", shifted)
    item = daily(Occurrence(on(27), deleted=True), Occurrence(on(29), values={"title": "Summer time"}))
    (stored,) = create(events, item)
    assert normal(stored.item) == normal(item)


def test_a_change_that_is_taken_and_not_shown_is_not_written(events: EwsSide, monkeypatch: pytest.MonkeyPatch) -> None:
    """As gromox does it with occurrences whose day in UTC is another one: nobody must think that it was taken back."""

    def taken(_: object, kind: Kind, changes: list[operations.ItemChange]) -> list[Any]:
        assert kind is Kind.EVENT
        return operations.get_items(events.connection, [operations.item_id(each.id) for each in changes])

    item = daily(Occurrence(on(27), deleted=True), Occurrence(on(28), values={"title": "Hidden"}))
    folder = default(events)
    with monkeypatch.context() as patch:
        patch.setattr(operations, "update_items", taken)
        (result,) = events.create([Creation(samples.own_id(), samples.uid(), folder, item)])
    assert isinstance(result, Written)
    assert isinstance(result.problem, Refused)
    assert {path[:2] for path in result.unwritten} == {("exceptions", "20260328T080000Z")}
    (stored,) = read(events, result.id)
    (again,) = events.update([update(stored, edited(stored, exceptions=item.exceptions))])
    assert isinstance(again, Written)
    assert again.problem is None
    assert normal(read(events, result.id)[0].item) == normal(item)


def test_a_date_whose_changes_are_not_shown_is_left_alone(events: EwsSide, judged: Lab) -> None:
    (stored,) = create(events, daily(Occurrence(on(27), values={"title": "Hidden"})))
    for occurrence in stored.source.occurrences:
        for each in occurrence.iterfind("{*}CalendarItemType"):
            each.text = "Occurrence"
    judged.control("DELETE", "traffic")
    (result,) = events.update(
        [update(stored, edited(stored, exceptions=(Occurrence(on(27), values={"title": "Again"}),)))]
    )
    assert isinstance(result, Written)
    assert isinstance(result.problem, Refused)
    assert "UpdateItem" not in {each["operation"] for each in judged.control("GET", "traffic")}


def test_a_series_becomes_a_single_event_and_a_series_again(events: EwsSide) -> None:
    (stored,) = create(events, daily(Occurrence(on(27), deleted=True)))
    single = edited(stored, recurrence=None, exceptions=())
    (result,) = events.update([update(stored, single)])
    assert isinstance(result, Written)
    (stored,) = read(events, stored.id)
    assert normal(stored.item) == normal(single)
    weekly = replace(single, recurrence=Recurrence(Frequency.WEEKLY, weekdays=(Weekday("TH"),), count=3))
    (result,) = events.update([update(stored, weekly)])
    assert isinstance(result, Written)
    assert normal(read(events, stored.id)[0].item) == normal(weekly)


# Strangers -------------------------------------------------------------------------------------------------------


def test_a_stranger_reads_what_we_write(events: EwsSide, stranger: exchangelib.Account) -> None:
    moved = Occurrence(on(28), values={"title": "Long", "start": on(28, 10), "end": on(28, 12)})
    (stored,) = create(events, daily(moved, Occurrence(on(27), deleted=True)))
    zone = exchangelib.EWSTimeZone(HOME)
    begin = exchangelib.EWSDateTime(2026, 3, 26, tzinfo=zone)
    seen = stranger.calendar.view(start=begin, end=exchangelib.EWSDateTime(2026, 4, 2, tzinfo=zone))
    mine = sorted((each.start.astimezone(zone), each.subject) for each in seen if each.uid == stored.uid)
    assert [(when.strftime("%d %H:%M"), what) for when, what in mine] == [
        ("26 09:00", "Stand-up"),
        ("28 10:00", "Long"),
        ("29 09:00", "Stand-up"),
        ("30 09:00", "Stand-up"),
        ("31 09:00", "Stand-up"),
    ]


def test_we_read_what_a_stranger_writes(events: EwsSide, stranger: exchangelib.Account) -> None:
    whole_day = exchangelib.CalendarItem(
        folder=stranger.calendar,
        subject="Fair",
        start=exchangelib.EWSDate(2026, 6, 2),
        end=exchangelib.EWSDate(2026, 6, 4),
        is_all_day=True,
        body=exchangelib.HTMLBody("<html><body><p>Hall <b>3</b></p></body></html>"),
    )
    whole_day.save(send_meeting_invitations="SendToNone")
    (stored,) = read(events, whole_day.id)
    assert isinstance(stored.item, Event)
    assert (stored.item.start, stored.item.end) == (date(2026, 6, 2), date(2026, 6, 5))
    assert stored.item.description.strip() == "Hall 3"
    assert stored.own_id == ""
    assert [each.id for each in events.find([], [stored.uid])] == [stored.id]


def test_a_contact_of_a_stranger_keeps_what_we_do_not_show(contacts: EwsSide, stranger: exchangelib.Account) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = StrangeContact(
            folder=stranger.contacts,
            given_name="Eve",
            display_name="Eve Adams",
            file_as="Adams, Eve",
            profession="Painter",
            birthday=exchangelib.EWSDate(1990, 5, 4),
        )
        theirs.save()
    (stored,) = read(contacts, theirs.id)
    assert isinstance(stored.item, Contact)
    assert stored.item.birthday == date(1990, 5, 4)
    (result,) = contacts.update([update(stored, edited(stored, display_name="Eve A.", company="Lab"))])
    assert isinstance(result, Written)
    theirs.refresh()
    assert (theirs.display_name, theirs.file_as, theirs.profession, theirs.company_name) == (
        "Eve A.",
        "Adams, Eve",
        "Painter",
        "Lab",
    )


# Photos and slots ------------------------------------------------------------------------------------------------


def test_a_photo_is_replaced_and_removed(contacts: EwsSide) -> None:
    (stored,) = create(contacts, Contact(display_name="Ada", photo=Photo(samples.PICTURE)))
    for photo in (Photo(samples.PICTURE + b"more"), None):
        wanted = edited(stored, photo=photo)
        (result,) = contacts.update([update(stored, wanted)])
        assert isinstance(result, Written)
        assert result.problem is None
        (stored,) = read(contacts, stored.id)
        assert result.revision == stored.revision
        assert normal(stored.item) == normal(wanted)
    assert stored.source.photos == ()


def test_a_photo_that_is_refused_leaves_the_old_one(contacts: EwsSide, judged: Lab) -> None:
    (stored,) = create(contacts, Contact(display_name="Ada", photo=Photo(samples.PICTURE)))
    judged.control("POST", "faults", {"operation": "CreateAttachment", "code": "ErrorMessageSizeExceeded"})
    wanted = edited(stored, display_name="Ada B.", photo=Photo(samples.PICTURE + b"more"))
    (result,) = contacts.update([update(stored, wanted)])
    assert isinstance(result, Written)
    assert isinstance(result.problem, Refused)
    assert result.unwritten == {("photo",)}
    (again,) = read(contacts, stored.id)
    assert normal(again.item) == normal(replace(wanted, photo=Photo(samples.PICTURE)))


def test_a_fourth_address_waits_for_a_slot(contacts: EwsSide) -> None:
    four = tuple(Email(f"{number}@lab.example") for number in range(4))
    (stored,) = create(contacts, Contact(display_name="Ada", emails=four))
    (result,) = contacts.update([update(stored, edited(stored, emails=(four[2], four[3])))])
    assert isinstance(result, Written)
    (again,) = read(contacts, stored.id)
    assert {path[1] for path in normal(again.item) if path[0] == "emails"} == {"2@lab.example", "3@lab.example"}


# Batches ---------------------------------------------------------------------------------------------------------


def test_what_was_answered_before_the_connection_broke_is_known(contacts: EwsSide, judged: Lab) -> None:
    folder = default(contacts)
    judged.control("POST", "faults", {"operation": "CreateItem", "drop": "before", "skip": 1, "times": None})
    many = [Creation(samples.own_id(), samples.uid(), folder, Contact(display_name="Ada")) for _ in range(60)]
    results = contacts.create(many)
    assert [type(each) for each in results[:50]] == [Written] * 50
    assert all(isinstance(each, Unreachable) for each in results[50:])


def test_an_item_that_spoils_its_request_fails_alone(contacts: EwsSide, judged: Lab) -> None:
    """As when the server's schema check stops a whole request."""
    folder = default(contacts)
    # Struck are the request for all four, that for the first two, and that for the first.
    fault = {"operation": "CreateItem", "code": "ErrorSchemaValidation", "as": "fault", "times": 3}
    judged.control("POST", "faults", fault)
    four = [Creation(samples.own_id(), samples.uid(), folder, Contact(display_name=f"Nr. {n}")) for n in range(4)]
    results = contacts.create(four)
    assert [type(each) for each in results] == [Refused, Written, Written, Written]


def test_a_refused_question_is_the_servers_trouble(contacts: EwsSide, judged: Lab) -> None:
    folder = default(contacts)
    for how in ("fault", "response"):
        judged.control("PUT", "faults", {"operation": "SyncFolderItems", "code": "ErrorInvalidRequest", "as": how})
        with pytest.raises(Unreachable, match="ErrorInvalidRequest"):
            contacts.changes(folder, None)


def test_where_no_search_is_possible_it_finds_by_listing(events: EwsSide, judged: Lab) -> None:
    alive, deleted, _ = create(events, daily(), daily(), daily())
    (result,) = events.delete([Deletion(deleted.id, deleted.revision)])
    assert isinstance(result, Written)
    # Struck once: what the server refused is not tried again.
    judged.control("POST", "faults", {"operation": "FindItem", "code": "ErrorInvalidRestriction"})
    for _ in range(2):
        found = events.find([alive.own_id.partition(".")[0]], [deleted.uid])
        assert {(each.uid, each.own_id, each.in_bin) for each in found} == {
            (alive.uid, alive.own_id, False),
            (deleted.uid, deleted.own_id, True),
        }
    assert events.find([alive.own_id + "0"], []) == []
    asked = [each["request"] for each in judged.control("GET", "traffic") if "FindItem" in each["request"]]
    assert ["Restriction" in each for each in asked] == [True, False, False, False]


def test_a_contact_in_the_bin_is_named_by_the_deletion(contacts: EwsSide) -> None:
    (stored,) = create(contacts, Contact(display_name="Ada"))
    (result,) = contacts.delete([Deletion(stored.id, stored.revision)])
    assert isinstance(result, Written)
    (binned,) = read(contacts, result.id)
    assert binned.in_bin
    assert binned.whole == stored.whole


def test_the_token_of_a_listing_survives_its_pages(contacts: EwsSide, monkeypatch: pytest.MonkeyPatch) -> None:
    create(contacts, *(Contact(display_name=f"Nr. {number}") for number in range(7)))
    monkeypatch.setattr(operations, "SYNC_PAGE", 3)
    folder, token, pages, listed = default(contacts), None, 0, set()
    more = True
    while more:
        page = contacts.changes(folder, token)
        assert page.full
        token, more, pages = page.token, page.more, pages + 1
        listed |= {each.id for each in page.changed}
    assert pages > 2
    assert len(listed) >= 7
    assert not contacts.changes(folder, token).full
