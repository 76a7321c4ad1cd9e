"""History on the command line: found, shown, asked back."""

from __future__ import annotations

import datetime as dt
from itertools import count

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from pytest_django import Settings

from syncapp.exchange.ews.native import Native
from syncapp.exchange.ews.xml import TYPES, parse
from syncapp.items import Event, Kind
from syncapp.jobs import history, looks
from syncapp.jobs.sides import unpack
from syncapp.models import Enrollment, History, Pairing, Restoration
from syncapp.side import SideName, Unreadable
from tests.jobs.fakes import account, enrollment

pytestmark = pytest.mark.django_db

numbers = count(1)

EVENT = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:1\r\nSUMMARY:{title}\r\nLOCATION:Raum 1\r\n"
    "DTSTART:20260310T080000Z\r\nDTEND:20260310T090000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)
CONTACT = f"""
<Contact xmlns="{TYPES}">
  <DisplayName>Anna Berger</DisplayName>
  <CompanyName>Lab GmbH</CompanyName>
  <EmailAddresses><Entry Key="EmailAddress1">anna@lab.example</Entry></EmailAddresses>
</Contact>
"""


@pytest.fixture
def anna() -> Enrollment:
    """A person with a calendar that is kept the same."""
    person = enrollment("anna", due_at=timezone.now() + dt.timedelta(hours=1))
    Pairing.objects.create(enrollment=person, kind="event", exchange_folder="c", nextcloud_folder="/anna/c/")
    return person


def kept(person: Enrollment, title: str = "Budget", **values: object) -> History:
    """A version of an event as Nextcloud had it."""
    number = next(numbers)
    fields = {
        "kind": "event",
        "side": "nextcloud",
        "reason": History.Reason.OVERWRITTEN,
        "key": number.to_bytes(16, "big"),
        "fingerprint": b"f",
        "content": History.sealed(EVENT.format(title=title).encode()),
        "label": f"{title}, 2026-03-10 08:00",
        "fields": "title",
        "at": timezone.now(),
    }
    return History.objects.create(enrollment=person, **(fields | values))


def said(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """What the command says."""
    call_command("history", *words)
    return capsys.readouterr().out


# Finding -------------------------------------------------------------------------------------------------------------


def test_list_tells_when_where_why_and_what(anna: Enrollment, capsys: pytest.CaptureFixture[str]) -> None:
    at = dt.datetime(2026, 3, 2, 8, tzinfo=dt.UTC)
    version = kept(anna, at=at, run_id=7, fields="location title", conflicts="title", winner="exchange")
    listed = said(capsys, "list", "anna")
    assert f"{version.pk}  2026-03-02 08:00  Nextcloud  Overwritten  Budget, 2026-03-10 08:00" in listed
    assert "fields: location title; Exchange won in conflict: title; run 7" in listed
    assert "history restore ID" in listed


def test_list_is_narrowed_down(anna: Enrollment, capsys: pytest.CaptureFixture[str]) -> None:
    old = kept(anna, "Alt", at=timezone.now() - dt.timedelta(days=3))
    across = kept(anna, "Drüben", side="exchange")
    other = kept(anna, "Person", kind="contact")
    run = kept(anna, "Lauf", run_id=12)
    kept(enrollment("bob"), "Fremd")
    yesterday = str((timezone.now() - dt.timedelta(days=1)).date())

    def ids(*words: str) -> set[int]:
        return set(map(int, said(capsys, "list", "anna", "--ids", *words).split()))

    assert ids() == {old.pk, across.pk, other.pk, run.pk}
    assert ids("--since", yesterday) == {across.pk, other.pk, run.pk}
    assert ids("--since", f"{yesterday}T00:00") == {across.pk, other.pk, run.pk}
    assert ids("--side", "exchange") == {across.pk}
    assert ids("--kind", "contact") == {other.pk}
    assert ids("--run", "12") == {run.pk}


def test_it_searches_in_what_was_kept_and_passes_over_what_it_can_not_read(
    anna: Enrollment, capsys: pytest.CaptureFixture[str]
) -> None:
    found = kept(anna, "Budget")
    kept(anna, "Urlaub", content=History.sealed(b"garbage"))
    assert said(capsys, "list", "anna", "--search", "raum 1", "--ids").split() == [str(found.pk)]
    assert said(capsys, "list", "anna", "--search", "BUDGET", "--ids").split() == [str(found.pk)]
    assert "Nothing of that sort is kept." in said(capsys, "list", "anna", "--search", "nirgends")


def test_a_long_list_is_cut(
    anna: Enrollment, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("syncapp.management.commands.history._SHOWN", 2)
    versions = [kept(anna, f"Termin {number}") for number in range(3)]
    listed = said(capsys, "list", "anna")
    assert "Termin 0" not in listed
    assert "There is more: --all" in listed
    assert said(capsys, "list", "anna", "--all").count("Termin") == 3
    assert said(capsys, "list", "anna", "--ids").split() == [str(each.pk) for each in reversed(versions)]


def test_marks_without_content_are_not_listed(anna: Enrollment, capsys: pytest.CaptureFixture[str]) -> None:
    kept(anna, content=b"")
    assert "Nothing of that sort is kept." in said(capsys, "list", "anna")


def test_show_has_the_values_of_either_side(anna: Enrollment, capsys: pytest.CaptureFixture[str]) -> None:
    event = kept(anna)
    native = Native(parse(CONTACT.encode())).pack()
    contact = kept(anna, "Anna", kind="contact", side="exchange", content=History.sealed(native))
    shown = said(capsys, "show", str(event.pk), str(contact.pk))
    assert "    Title: Budget\n" in shown
    assert "    Location: Raum 1\n" in shown
    assert "    Company: Lab GmbH\n" in shown
    assert "    E-mail: anna@lab.example\n" in shown


def test_show_has_the_exceptions_of_a_series(anna: Enrollment, capsys: pytest.CaptureFixture[str]) -> None:
    series = EVENT.format(title="Jour fixe").replace(
        "END:VEVENT\r\n",
        "RRULE:FREQ=WEEKLY\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\nUID:1\r\nRECURRENCE-ID:20260317T080000Z\r\n"
        "DTSTART:20260317T080000Z\r\nDTEND:20260317T090000Z\r\nSUMMARY:Später\r\nEND:VEVENT\r\n",
    )
    version = kept(anna, content=History.sealed(series.encode()))
    shown = said(capsys, "show", str(version.pk))
    assert "20260317T080000Z Occurrence: modified" in shown
    assert "20260317T080000Z Title: Später" in shown


@pytest.mark.parametrize("side", SideName)
@pytest.mark.parametrize("kind", Kind)
def test_garbage_does_not_unpack(side: SideName, kind: Kind) -> None:
    with pytest.raises(Unreadable):
        unpack(side, kind, b"garbage")


def test_a_version_unpacks_to_its_item(anna: Enrollment) -> None:
    item = history.item_of(kept(anna))
    assert isinstance(item, Event)
    assert (item.title, item.location) == ("Budget", "Raum 1")


# Asking back ---------------------------------------------------------------------------------------------------------


def test_restore_asks_and_says_how_it_goes_on(anna: Enrollment, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = kept(anna), kept(anna, "Urlaub")
    told = said(capsys, "restore", str(first.pk), str(second.pk))
    assert "Will be put back in Nextcloud: Budget, 2026-03-10 08:00" in told
    assert "python manage.py sync anna" in told
    rows = Restoration.objects.order_by("pk")
    assert [(row.history_id, bytes(row.key), row.side, row.kind, row.state) for row in rows] == [
        (each.pk, bytes(each.key), "nextcloud", "event", "waiting") for each in (first, second)
    ]
    anna.refresh_from_db()
    assert anna.due_at <= timezone.now()


def test_what_is_asked_for_already_is_not_asked_for_twice(anna: Enrollment) -> None:
    version = kept(anna)
    assert history.ask_back(version, timezone.now()) == history.ask_back(version, timezone.now())
    Restoration.objects.update(state=Restoration.State.DONE)
    history.ask_back(version, timezone.now())
    assert Restoration.objects.count() == 2


def test_a_person_of_whom_something_is_wanted_back_is_more_than_looked_at(anna: Enrollment) -> None:
    used = account()
    assert looks.standing(anna, used).settled
    history.ask_back(kept(anna), timezone.now())
    assert not looks.standing(anna, used).settled
    Restoration.objects.update(state=Restoration.State.DONE)
    assert looks.standing(anna, used).settled


def test_restores_tells_what_came_of_it(anna: Enrollment, capsys: pytest.CaptureFixture[str]) -> None:
    assert "Nothing was asked back." in said(capsys, "restores")
    waiting, failed, pruned = (history.ask_back(kept(anna, title), timezone.now()) for title in "ABC")
    Restoration.objects.filter(pk=failed.pk).update(state="failed", text="The server refuses it.", run_id=5)
    History.objects.filter(pk=pruned.history_id).delete()
    told = said(capsys, "restores", "anna")
    assert f"anna, Nextcloud  {waiting.history_id}: A, 2026-03-10 08:00  Waiting for the next run" in told
    assert f"{failed.history_id}: B, 2026-03-10 08:00  Not possible: The server refuses it., run 5" in told
    assert "(no longer kept)" in told
    enrollment("bob")
    assert "Nothing was asked back." in said(capsys, "restores", "bob")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda person: Enrollment.objects.update(state=Enrollment.State.PAUSED), "does not sync now: Paused"),
        (lambda person: Pairing.objects.update(enabled=False), "not kept the same any more"),
        (lambda person: History.objects.update(content=b""), "Nothing was kept"),
    ],
)
def test_what_can_not_be_put_back_is_not_asked_for(anna: Enrollment, change: object, why: str) -> None:
    version = kept(anna)
    assert callable(change)
    change(anna)
    with pytest.raises(CommandError, match=why):
        call_command("history", "restore", str(version.pk))
    assert not Restoration.objects.exists()


@pytest.mark.parametrize(
    "words",
    [
        ("list",),
        ("list", "nobody"),
        ("list", "anna", "bob"),
        ("list", "anna", "--since", "gestern"),
        ("list", "anna", "--since", "2026-13-01"),
        ("show",),
        ("show", "anna"),
        ("show", "999"),
        ("restore", "999"),
        ("restores", "nobody"),
    ],
)
def test_a_wrong_word_ends_with_a_sentence(anna: Enrollment, words: tuple[str, ...]) -> None:
    with pytest.raises(CommandError, match=r"python manage|Write a day"):
        call_command("history", *words)


def test_what_can_not_be_read_is_said(anna: Enrollment, settings: Settings) -> None:
    version = kept(anna, content=History.sealed(b"garbage"))
    with pytest.raises(CommandError, match="content line"):
        call_command("history", "show", str(version.pk))
