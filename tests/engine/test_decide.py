"""The merge, by example and by property: pure, so no server and no database."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime

from hypothesis import given
from hypothesis import strategies as st

from syncapp.engine.decide import Decision, View, decide, moved
from syncapp.items import Contact, Event, Item
from syncapp.items.elements import elements
from syncapp.items.event import Occurrence
from syncapp.items.fingerprint import Fingerprinter
from syncapp.items.values import Email, Frequency, Phone, Recurrence, ZonedTime
from syncapp.side import SideName

EXCHANGE, NEXTCLOUD = SideName.EXCHANGE, SideName.NEXTCLOUD
PRINTS = Fingerprinter(b"k" * 32, b"s" * 16)
EIGHT = ZonedTime(datetime(2026, 3, 2, 8), "Europe/Berlin")
NINE = ZonedTime(datetime(2026, 3, 2, 9), "Europe/Berlin")
TEN = ZonedTime(datetime(2026, 3, 2, 10), "Europe/Berlin")
ELEVEN = ZonedTime(datetime(2026, 3, 2, 11), "Europe/Berlin")


def as_it_is(item: Item) -> Item:
    """The projection of a side that holds everything."""
    return item


def three_addresses(item: Item) -> Item:
    """A side with three slots for mail addresses, titles of 20 characters and no attendees."""
    if isinstance(item, Contact):
        return replace(item, emails=item.emails[:3])
    return replace(item, title=item.title[:20], attendees=(), organizer=None)


def merge(
    base: Item | None,
    exchange: Item,
    nextcloud: Item,
    *,
    winner: SideName = EXCHANGE,
    source: SideName | None = None,
) -> Decision:
    """What is decided when both sides last agreed on ``base`` (each on what it holds of it)."""
    held = {} if base is None else PRINTS.item(three_addresses(base))
    full = {} if base is None else PRINTS.item(base)
    views = {EXCHANGE: View(exchange, held, three_addresses), NEXTCLOUD: View(nextcloud, full, as_it_is)}
    return decide(views, PRINTS, winner=winner, source=source)


def event(**values: object) -> Event:
    """An event at nine."""
    return replace(Event(NINE, TEN, title="Budget"), **values)  # type: ignore[arg-type]


def card(*addresses: str, **values: object) -> Contact:
    """A contact with mail addresses."""
    return replace(Contact(display_name="Anna", emails=tuple(map(Email, addresses))), **values)  # type: ignore[arg-type]


def addresses(item: Item) -> list[str]:
    """The mail addresses of a contact."""
    assert isinstance(item, Contact)
    return [each.address for each in item.emails]


# Examples ------------------------------------------------------------------------------------------------------------


def test_nothing_changed_is_nothing_to_do() -> None:
    decision = merge(event(), event(), event())
    assert not decision.writes
    assert not decision.conflicts


def test_a_change_goes_to_the_other_side_alone() -> None:
    decision = merge(event(), event(location="Raum 1"), event())
    assert decision.writes.keys() == {NEXTCLOUD}
    assert decision.writes[NEXTCLOUD].item == event(location="Raum 1")
    assert decision.writes[NEXTCLOUD].changed == {("location",)}


def test_different_fields_go_both_ways() -> None:
    decision = merge(event(), event(location="Raum 1"), event(title="Haushalt"))
    assert decision.writes[NEXTCLOUD].item == event(location="Raum 1", title="Haushalt")
    assert decision.writes[EXCHANGE].item == event(location="Raum 1", title="Haushalt")
    assert not decision.conflicts


def test_the_bases_of_what_travels_stay_until_it_has_arrived() -> None:
    """Rule 15: a write that fails settles nothing."""
    old = PRINTS.item(event())
    decision = merge(event(), event(location="Raum 1"), event())
    assert decision.bases[EXCHANGE] == old
    write = decision.writes[NEXTCLOUD]
    assert moved(decision.bases[EXCHANGE], write.source) == PRINTS.item(event(location="Raum 1"))
    assert moved(decision.bases[NEXTCLOUD], write.target) == PRINTS.item(event(location="Raum 1"))


def test_the_same_change_on_both_sides_is_agreed() -> None:
    decision = merge(event(), event(location="Raum 1"), event(location="Raum  1"))
    assert not decision.writes
    assert decision.bases[EXCHANGE] == PRINTS.item(event(location="Raum 1"))


def test_a_conflict_goes_by_the_rule() -> None:
    for winner, place in ((EXCHANGE, "Raum 1"), (NEXTCLOUD, "Raum 2")):
        decision = merge(event(), event(location="Raum 1"), event(location="Raum 2"), winner=winner)
        assert decision.writes.keys() == {winner.other}
        assert decision.writes[winner.other].item == event(location=place)
        assert decision.conflicts == {("location",): winner}
        assert decision.lost_on(winner.other) == decision.conflicts
        assert not decision.lost_on(winner)


def test_start_and_end_are_decided_together() -> None:
    """A start from one side and an end from the other would be an event that nobody wrote."""
    decision = merge(event(), event(start=EIGHT), event(end=ELEVEN), winner=NEXTCLOUD)
    assert decision.writes.keys() == {EXCHANGE}
    assert decision.writes[EXCHANGE].item == event(end=ELEVEN)


def test_a_removed_value_is_removed() -> None:
    decision = merge(event(location="Raum 1"), event(), event(location="Raum 1"))
    assert decision.writes[NEXTCLOUD].item == event()


def test_what_a_side_cannot_hold_is_no_write() -> None:
    decision = merge(card("a@x", "b@x", "c@x"), card("a@x", "b@x", "c@x"), card("a@x", "b@x", "c@x", "d@x"))
    assert not decision.writes
    assert len(decision.bases[NEXTCLOUD]) == len(decision.bases[EXCHANGE]) + 1


def test_a_freed_slot_takes_the_fourth_address() -> None:
    base = card("a@x", "b@x", "c@x", "d@x")
    decision = merge(base, card("a@x", "c@x"), base)
    assert addresses(decision.writes[NEXTCLOUD].item) == ["a@x", "c@x", "d@x"]
    assert addresses(decision.writes[EXCHANGE].item) == ["a@x", "c@x", "d@x"]


def test_what_was_typed_into_a_full_side_stays_there() -> None:
    """Exchange's own three addresses come before the ones that it has no room for."""
    base = card("a@x", "b@x", "c@x", "d@x")
    decision = merge(base, card("a@x", "b@x", "new@x"), base)
    assert decision.writes.keys() == {NEXTCLOUD}
    assert addresses(decision.writes[NEXTCLOUD].item) == ["a@x", "b@x", "d@x", "new@x"]


def test_a_value_cut_off_by_a_side_is_agreed() -> None:
    """Rule 16."""
    decision = merge(None, event(title="A title of twenty ch"), event(title="A title of twenty characters and more"))
    assert not decision.writes


def test_without_a_base_both_are_joined() -> None:
    decision = merge(None, card("a@x", notes="Notiz"), card("b@x", nickname="Anni"))
    assert decision.writes[NEXTCLOUD].item == card("b@x", "a@x", nickname="Anni", notes="Notiz")
    assert decision.writes[EXCHANGE].item == card("a@x", "b@x", nickname="Anni", notes="Notiz")


def test_without_a_base_an_empty_value_never_wins() -> None:
    series = event(recurrence=Recurrence(Frequency.DAILY), start=TEN, end=ELEVEN)
    decision = merge(None, event(), series, winner=EXCHANGE)
    assert decision.writes[EXCHANGE].item == series


def test_attendees_never_go_to_exchange() -> None:
    from syncapp.items.values import Attendee

    invited = (Attendee("bob@lab.example"),)
    assert not merge(event(), event(), event(attendees=invited)).writes
    decision = merge(event(), event(attendees=invited), event())
    assert decision.writes[NEXTCLOUD].item == event(attendees=invited)


def test_an_occurrence_deleted_here_and_edited_there_goes_one_way_as_a_whole() -> None:
    weekly = Recurrence(Frequency.WEEKLY)
    second = ZonedTime(datetime(2026, 3, 9, 9), "Europe/Berlin")
    there = Occurrence(second, values={"title": "Ausnahme", "location": "Raum 1"})
    base = event(recurrence=weekly, exceptions=(there,))
    deleted = event(recurrence=weekly, exceptions=(Occurrence(second, deleted=True),))
    edited = event(recurrence=weekly, exceptions=(replace(there, values={**there.values, "location": "Raum 2"}),))
    assert merge(base, deleted, edited, winner=EXCHANGE).writes[NEXTCLOUD].item == deleted
    assert merge(base, deleted, edited, winner=NEXTCLOUD).writes[EXCHANGE].item == edited


def test_two_fields_of_one_occurrence_merge() -> None:
    weekly = Recurrence(Frequency.WEEKLY)
    second = ZonedTime(datetime(2026, 3, 9, 9), "Europe/Berlin")

    def with_values(**values: object) -> Event:
        return event(recurrence=weekly, exceptions=(Occurrence(second, values=values),))

    base = with_values(title="Ausnahme")
    decision = merge(base, with_values(title="Neu"), with_values(title="Ausnahme", location="Raum 2"))
    both = with_values(title="Neu", location="Raum 2")
    assert elements(decision.writes[EXCHANGE].item) == elements(both)
    assert elements(decision.writes[NEXTCLOUD].item) == elements(both)


def test_one_way_leaves_edits_on_the_target_alone_until_the_source_changes() -> None:
    """Rule 24."""
    there = event(location="Raum 2")
    quiet = merge(event(), event(), there, source=EXCHANGE)
    assert not quiet.writes
    assert quiet.bases[NEXTCLOUD] == PRINTS.item(event())
    decision = merge(event(), event(location="Raum 1"), there, source=EXCHANGE, winner=NEXTCLOUD)
    assert decision.writes[NEXTCLOUD].item == event(location="Raum 1")
    assert decision.conflicts == {("location",): EXCHANGE}


# Properties ----------------------------------------------------------------------------------------------------------

words = st.sampled_from(["", "eins", "zwei", "drei"])
contacts = st.builds(
    Contact,
    display_name=st.sampled_from(["Anna", "Bob"]),
    nickname=words,
    company=words,
    notes=words,
    emails=st.lists(st.sampled_from([Email(f"{each}@x") for each in "abcdef"]), unique=True, max_size=5).map(tuple),
    phones=st.lists(
        st.sampled_from([Phone("1", "work"), Phone("2", "work"), Phone("1", "home")]), unique=True, max_size=3
    ).map(tuple),
    birthday=st.sampled_from([None, date(1990, 1, 1), date(1991, 1, 1)]),
)
exchange_contacts = contacts.map(three_addresses)


def after(decision: Decision, exchange: Item, nextcloud: Item) -> tuple[Item, Item]:
    """Both sides once everything that was decided is written."""
    items = {EXCHANGE: exchange, NEXTCLOUD: nextcloud}
    for name, write in decision.writes.items():
        items[name] = write.item
    return items[EXCHANGE], items[NEXTCLOUD]


@given(base=contacts, exchange=exchange_contacts, nextcloud=contacts, winner=st.sampled_from(SideName))
def test_what_was_decided_and_written_is_settled(
    base: Contact, exchange: Contact, nextcloud: Contact, winner: SideName
) -> None:
    """The next decision, with the bases that the writes made, writes nothing."""
    bases = {EXCHANGE: PRINTS.item(three_addresses(base)), NEXTCLOUD: PRINTS.item(base)}
    items: dict[SideName, Item] = {EXCHANGE: exchange, NEXTCLOUD: nextcloud}
    projects = {EXCHANGE: three_addresses, NEXTCLOUD: as_it_is}
    for _ in range(4):
        views = {name: View(items[name], bases[name], projects[name]) for name in SideName}
        decision = decide(views, PRINTS, winner=winner)
        if not decision.writes:
            break
        bases = {name: dict(decision.bases[name]) for name in SideName}
        # One write at a time, as the engine does it.
        name, write = next(iter(decision.writes.items()))
        items[name] = write.item
        bases[name] = moved(bases[name], write.target)
        bases[name.other] = moved(bases[name.other], write.source)
    else:
        raise AssertionError("still writing after four rounds")


@given(base=contacts, exchange=exchange_contacts, nextcloud=contacts, winner=st.sampled_from(SideName))
def test_an_element_changed_on_one_side_only_is_never_lost(
    base: Contact, exchange: Contact, nextcloud: Contact, winner: SideName
) -> None:
    decision = merge(base, exchange, nextcloud, winner=winner)
    on_exchange, on_nextcloud = after(decision, exchange, nextcloud)
    held, full = elements(three_addresses(base)), elements(base)
    mine, theirs = elements(exchange), elements(nextcloud)
    for path, part in mine.items():
        changed_there = theirs.get(path) != full.get(path)
        if held.get(path) != part and not changed_there:
            assert elements(on_nextcloud).get(path) == part, path
            assert elements(on_exchange).get(path) == part, path
    for path, part in theirs.items():
        if full.get(path) != part and mine.get(path) == held.get(path):
            assert elements(on_nextcloud).get(path) == part, path


@given(item=contacts, winner=st.sampled_from(SideName))
def test_what_exchange_holds_of_an_item_agrees_with_it(item: Contact, winner: SideName) -> None:
    """Rule 16, at first contact and later."""
    for base in (None, item):
        assert not merge(base, three_addresses(item), item, winner=winner).writes


@given(exchange=exchange_contacts, nextcloud=contacts, winner=st.sampled_from(SideName))
def test_first_contact_empties_nothing(exchange: Contact, nextcloud: Contact, winner: SideName) -> None:
    decision = merge(None, exchange, nextcloud, winner=winner)
    on_exchange, on_nextcloud = after(decision, exchange, nextcloud)
    assert elements(on_exchange).keys() >= elements(exchange).keys()
    assert elements(on_nextcloud).keys() >= elements(nextcloud).keys() | elements(exchange).keys()
