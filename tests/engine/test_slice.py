"""What a slice tells the job and the page, and what it costs."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from lab.chaos.town import EXCHANGE, NEXTCLOUD, Town, event, placed, titled
from lab.chaos.wire import When, raising
from syncapp.engine.look import Looked, look, nothing_happened
from syncapp.engine.slice import SliceResult, run_slice
from syncapp.engine.work import BATCH
from syncapp.items import Kind
from syncapp.items.values import ZonedTime
from syncapp.models import Hold, Link, Pairing, Problem, Run, RunLine, Sent
from syncapp.side import SideName, Throttled, Unreachable


def one_slice(
    town: Town, *, seconds: float = 3600.0, full: bool = False, looked: Looked | None = None
) -> tuple[SliceResult, Run]:
    """A single slice, and the run that it belongs to."""
    lease = town.claim()
    run = Run.objects.create(enrollment=town.enrollment, started_at=town.clock.now())
    result = run_slice(lease, run, town.world.sides(), clock=town.clock, seconds=seconds, full=full, looked=looked)
    lease.release(town.clock.now())
    run.refresh_from_db()
    return result, run


def fill(town: Town, number: int) -> None:
    """Events in Exchange, with a day between their starts."""
    for each in range(number):
        town.outlook.create(town.folder(EXCHANGE), event(f"Termin {each:03}", 1 + each % 28))


def test_it_counts_what_it_does(town: Town) -> None:
    fill(town, 3)
    town.phone.create(town.folder(NEXTCLOUD), event("Termin 000", 1))
    result, run = one_slice(town)
    assert (run.created, run.adopted, run.updated, run.deleted, run.failed) == (2, 1, 0, 0, 0)
    assert result.counts == {"created": 2, "adopted": 1}
    assert not result.more
    assert result.next_at is None


def test_it_logs_codes_and_fields_and_no_content(town: Town) -> None:
    """Invariant 8."""
    fill(town, 1)
    town.sync()
    town.outlook.edit(town.only(EXCHANGE).id, titled("Geheimes Treffen"))
    town.sync()
    line = RunLine.objects.get(code="updated")
    assert (line.side, line.fields) == ("nextcloud", "title")
    for each in RunLine.objects.all():
        assert "Geheim" not in f"{each.fields} {each.note}"


def test_it_ends_when_its_time_is_over_and_says_that_there_is_more(town: Town) -> None:
    fill(town, 2 * BATCH + 1)
    calls = {"create": 0}

    def slow() -> None:
        calls["create"] += 1
        town.clock.move(timedelta(seconds=20))

    town.world.wire.always("create", When.AFTER, slow)
    result, run = one_slice(town, seconds=10)
    assert result.more
    assert run.created == BATCH
    assert run.pending == BATCH + 1
    while one_slice(town, seconds=10)[0].more:
        pass
    assert calls["create"] == 3
    assert len(town.both()) == 2 * BATCH + 1


def test_the_number_of_queries_does_not_grow_with_the_items_of_a_batch(town: Town) -> None:
    def queries(items: int) -> int:
        fill(town, items)
        with CaptureQueriesContext(connection) as captured:
            town.sync()
        return len(captured)

    queries(5)
    assert queries(45) <= queries(5) + 5


def test_a_quiet_slice_makes_one_look_per_side_and_kind(town: Town) -> None:
    fill(town, 3)
    town.sync()
    town.sync()  # hears of what the first one wrote
    since = len(town.world.wire.calls)
    with CaptureQueriesContext(connection) as captured:
        one_slice(town)
    calls = [call.name for call in town.world.wire.calls[since:] if call.name != "epoch"]
    assert calls == ["look"] * 4
    assert not [each["sql"] for each in captured if "_whole" in each["sql"]], "no link is loaded"


def test_a_look_tells_whether_anything_happened(town: Town) -> None:
    fill(town, 2)
    town.sync()
    assert not nothing_happened(look_at(town), list(Pairing.objects.all())), "our own writes are still to be heard of"
    town.sync()
    assert nothing_happened(look_at(town), list(Pairing.objects.all()))
    town.phone.edit(town.find(NEXTCLOUD, "Termin 001").id, titled("Anders"))
    assert not nothing_happened(look_at(town), list(Pairing.objects.all()))


def test_what_a_look_saw_serves_the_first_pass_and_no_other(town: Town) -> None:
    """Rule 1: an absence is acted upon after a pass that looked at everything later than it was noted."""
    fill(town, 3)
    town.sync()
    town.sync()
    town.outlook.delete(town.find(EXCHANGE, "Termin 001").id)
    looked = look_at(town)
    since = len(town.world.wire.calls)
    one_slice(town, looked=looked)
    calls = [(call.kind, call.name) for call in town.world.wire.calls[since:] if call.name in ("look", "delete")]
    assert calls == [(Kind.EVENT, "look"), (Kind.EVENT, "look"), (Kind.EVENT, "delete")]
    assert len(town.both()) == 2


def test_a_folder_that_was_not_looked_at_is_asked_for(town: Town) -> None:
    fill(town, 1)
    Pairing.objects.filter(exchange_folder=town.folder(EXCHANGE)).update(enabled=False)
    looked = look_at(town)
    Pairing.objects.update(enabled=True)
    one_slice(town, looked=looked)
    assert len(town.both()) == 1
    assert not Problem.objects.exists()


def look_at(town: Town) -> Looked:
    """A look at everything that is kept the same."""
    return look(town.world.sides(), list(Pairing.objects.filter(enabled=True)))


def test_a_refused_item_is_tried_again_later_and_heals(town: Town) -> None:
    fill(town, 2)
    town.world.nextcloud.refused.add("Termin 001")
    result, run = one_slice(town)
    assert (run.created, run.failed) == (1, 1)
    assert result.next_at is not None
    assert result.next_at > town.clock.now()
    problem = Problem.objects.get(level=Problem.Level.ITEM)
    assert (problem.label, problem.code) == ("Termin 001", "refused")
    assert "Termin" not in problem.text
    town.world.nextcloud.refused.clear()
    town.clock.move(timedelta(days=2))
    result, run = one_slice(town)
    assert run.created == 1
    assert not Problem.objects.exists()
    assert not Link.objects.filter(has_problem=True).exists()


def test_an_edit_is_tried_at_once_whatever_the_delay(town: Town) -> None:
    fill(town, 1)
    town.world.nextcloud.refused.add("Termin 000")
    one_slice(town)
    town.outlook.edit(town.only(EXCHANGE).id, titled("Besser"))
    one_slice(town)
    assert town.titles(NEXTCLOUD) == ["Besser"]


@pytest.mark.parametrize("trouble", [Throttled(30), Unreachable("no answer")])
def test_trouble_of_a_whole_server_is_the_jobs(town: Town, trouble: Throttled | Unreachable) -> None:
    fill(town, 3)
    town.world.wire.at("create", When.ITEM, raising(trouble))
    with pytest.raises(type(trouble)):
        one_slice(town)
    town.clock.move(timedelta(days=1))
    town.sync()
    assert len(town.both()) == 3


def test_a_missing_folder_is_a_problem_and_deletes_nothing(town: Town) -> None:
    fill(town, 2)
    town.sync()
    folder = town.folder(EXCHANGE)
    kept = town.world.exchange.state.folders.pop(folder)
    result, _ = one_slice(town)
    assert not result.more
    assert town.problems() == ["folder-missing"]
    assert len(town.titles(NEXTCLOUD)) == 2
    town.world.exchange.state.folders[folder] = kept
    one_slice(town)
    assert town.problems() == []


def test_an_approved_deletion_happens_and_a_refused_one_is_undone(town: Town) -> None:
    fill(town, 2)
    town.sync()
    for each in town.living(EXCHANGE):
        town.outlook.delete(each.id)
    _, run = one_slice(town)
    assert run.held == 2
    assert town.problems() == ["held"]
    first, second = Hold.objects.order_by("pk")
    first.approve()
    second.refuse()
    town.settle()
    assert len(town.both()) == 1
    assert town.problems() == []


def test_few_deletions_in_a_small_folder_are_not_held(town: Town) -> None:
    fill(town, 6)
    town.sync()
    for each in town.living(EXCHANGE)[:5]:
        town.outlook.delete(each.id)
    town.sync()
    assert len(town.both()) == 1


def test_deletions_of_a_day_add_up(town: Town, settings: object) -> None:
    """Nobody gets round the threshold by deleting slowly."""
    settings.GUARD_DELETIONS = 4  # type: ignore[attr-defined]
    fill(town, 12)
    town.sync()
    for each in town.living(EXCHANGE)[:3]:
        town.outlook.delete(each.id)
    town.sync(wait=False)
    assert len(town.titles(NEXTCLOUD)) == 9
    for each in town.living(EXCHANGE)[:3]:
        town.outlook.delete(each.id)
    town.sync(wait=False)
    assert len(town.titles(NEXTCLOUD)) == 9
    assert Hold.objects.filter(reason=Hold.Reason.MANY).count() == 3


def test_an_event_outside_the_window_comes_with_its_first_edit(town: Town) -> None:
    start = ZonedTime(datetime(2020, 3, 2, 9), "Europe/Berlin")
    old = replace(event("Alt"), start=start, end=replace(start, wall=datetime(2020, 3, 2, 10)))
    town.outlook.create(town.folder(EXCHANGE), old)
    town.sync()
    assert town.titles(NEXTCLOUD) == []
    town.outlook.edit(town.only(EXCHANGE).id, placed("Raum 1"))
    town.sync()
    assert town.titles(NEXTCLOUD) == ["Alt"]


def test_every_attempt_has_a_nonce_of_its_own(town: Town) -> None:
    """Rule 11."""
    fill(town, 2)
    town.world.wire.at("create", When.ITEM, raising(Unreachable("no answer")))
    with pytest.raises(Unreachable):
        one_slice(town)
    town.clock.move(timedelta(days=1))
    town.sync()
    sent = Sent.objects.filter(side=SideName.NEXTCLOUD)
    assert sent.count() == 4
    assert sent.filter(linked=True).count() == 2
    assert len({bytes(each.nonce) for each in sent}) == 4
