"""What databases were in the middle of when somebody stopped the workers and installed another release.

Each scene is a person whose links are in states of one sort. Together they have links in every state that there is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta

from lab.chaos.town import CONTACT, EXCHANGE, NEXTCLOUD, contact, event, placed, series, titled
from lab.chaos.wire import Crash, Late, When, raising
from syncapp.models import Hold, Pairing
from syncapp.side import SideName, Unreachable
from tests.upgrades.town import OwnTown


def in_step(town: OwnTown) -> None:
    """Everything is the same on both sides, as each of them holds it; some was deleted and overwritten before."""
    town.outlook.create(town.folder(EXCHANGE), event("Budget", location="Raum 1"))
    town.phone.create(town.folder(NEXTCLOUD, number=2), event("Urlaub", 12, description="Und so weiter..."))
    town.phone.create(town.folder(NEXTCLOUD), series())
    emails = [f"{each}@lab.example" for each in "abcd"]
    town.phone.create(town.folder(NEXTCLOUD, CONTACT), contact("Anna", *emails))
    town.outlook.create(town.folder(EXCHANGE, CONTACT), contact("Bob", "bob@lab.example"))
    for number in range(12):
        town.outlook.create(town.folder(EXCHANGE), event(f"Termin {number:02}", number + 1))
    town.settle()
    town.outlook.edit(town.find(EXCHANGE, "Termin 01").id, titled("Anders"))
    town.phone.edit(town.find(NEXTCLOUD, "Termin 01").id, titled("Ganz anders"))
    town.phone.delete(town.find(NEXTCLOUD, "Termin 02").id)
    town.settle()
    town.sync()


def _many(town: OwnTown) -> None:
    for number in range(12):
        town.outlook.create(town.folder(EXCHANGE), event(f"Termin {number:02}", number + 1))
    town.settle()


def killed_while_writing(town: OwnTown) -> None:
    """Creates and updates on both sides, some done and some not, no answer known."""
    _many(town)
    for number in range(4):
        town.outlook.edit(town.find(EXCHANGE, f"Termin {number:02}").id, placed(f"Raum {number}"))
        town.phone.edit(town.find(NEXTCLOUD, f"Termin {number + 4:02}").id, placed(f"Raum {number + 4}"))
        town.outlook.create(town.folder(EXCHANGE), event(f"Neu {number}", 20 + number))
        town.phone.create(town.folder(NEXTCLOUD), event(f"Neuer {number}", 20 + number))
    town.world.wire.at("create", When.DONE, raising(Crash()), side=NEXTCLOUD, skip=1)
    assert isinstance(town.sync().error, Crash)


def killed_before_reading_back(town: OwnTown) -> None:
    """Answers are known, and not what the servers made of what they were given."""
    _many(town)
    town.outlook.edit(town.find(EXCHANGE, "Termin 00").id, placed("Raum 1"))
    town.phone.create(town.folder(NEXTCLOUD), event("Neu", 20, description="Und so weiter..."))
    town.world.wire.at("create", When.AFTER, lambda: town.world.wire.at("read", When.BEFORE, raising(Crash())))
    assert isinstance(town.sync().error, Crash)


def killed_while_deleting(town: OwnTown) -> None:
    """One is deleted, one is not, and no answer is known."""
    _many(town)
    for number in range(2):
        town.phone.delete(town.find(NEXTCLOUD, f"Termin {number:02}").id)
    town.world.wire.at("delete", When.DONE, raising(Crash()), side=EXCHANGE)
    assert isinstance(town.sync().error, Crash)


def killed_while_moving(town: OwnTown) -> None:
    """Into another folder."""
    _many(town)
    town.outlook.move(town.find(EXCHANGE, "Termin 00").id, town.folder(EXCHANGE, number=2))
    town.world.wire.at("move", When.AFTER, raising(Crash()), side=NEXTCLOUD)
    assert isinstance(town.sync().error, Crash)


def waiting(town: OwnTown) -> None:
    """For a decision, for another try, for a late request; and what the window left out."""
    Pairing.objects.filter(enrollment=town.enrollment).update(days_ahead=5)
    town.outlook.create(town.folder(EXCHANGE), event("Zu weit weg", 28))
    town.sync()
    Pairing.objects.filter(enrollment=town.enrollment).update(days_ahead=365)
    _many(town)
    for number in range(11):
        town.phone.delete(town.find(NEXTCLOUD, f"Termin {number:02}").id)
    town.world.exchange.refused.add("Unmöglich")
    town.phone.create(town.folder(NEXTCLOUD), event("Unmöglich", 20))
    town.outlook.edit(town.find(EXCHANGE, "Termin 11").id, lambda item: replace(item, title="Letzter"))
    town.sync()
    approved, refused = Hold.objects.filter(enrollment=town.enrollment).order_by("pk")[:2]
    approved.approve()
    refused.refuse()
    town.phone.create(town.folder(NEXTCLOUD), event("Spät", 22))
    town.world.wire.at("create", When.ITEM, raising(Late()), side=EXCHANGE)
    town.sync()


def cut_short(town: OwnTown) -> None:
    """A first listing that did not come to its end."""
    for number in range(5):
        town.outlook.create(town.folder(EXCHANGE), event(f"Termin {number}", number + 1))
        town.phone.create(town.folder(NEXTCLOUD), event(f"Termin {number}", number + 1))
    town.world.nextcloud.page = 2
    town.world.wire.at("changes", When.BEFORE, raising(Unreachable("no answer")), side=NEXTCLOUD, skip=1)
    assert isinstance(town.sync().error, Unreachable)
    town.clock.move(timedelta(minutes=1))


SCENES: Mapping[str, Callable[[OwnTown], None]] = {
    scene.__name__: scene
    for scene in (
        in_step,
        killed_while_writing,
        killed_before_reading_back,
        killed_while_deleting,
        killed_while_moving,
        waiting,
        cut_short,
    )
}


def end(town: OwnTown) -> dict[str, list[str]]:
    """Let syncs run until everything is in step, deletions approved; the titles and names on both sides then."""
    town.world.nextcloud.page = 1000
    town.world.exchange.refused.clear()
    town.world.exchange.land()
    town.settle()
    for hold in Hold.objects.filter(enrollment=town.enrollment, state=Hold.State.WAITING):
        hold.approve()
    town.settle()
    return {name.value: sorted([*town.titles(name), *town.titles(name, CONTACT)]) for name in SideName}
