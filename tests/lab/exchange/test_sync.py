"""SyncFolderItems: pages, states, and what is reported as what."""

from __future__ import annotations

from typing import Any

import pytest
from exchangelib import Account, Message, errors
from exchangelib.folders import Calendar
from exchangelib.recurrence import DailyPattern
from exchangelib.services import SyncFolderItems

from tests.lab.exchange.conftest import ADA, BOB, Lab
from tests.lab.exchange.events import event, series


def page(account: Account, state: str | None = None, size: int = 512, folder: Any = None) -> tuple[Any, str, bool]:
    """One call: changes as (kind, id), the next state, whether it was the last page."""
    service = SyncFolderItems(account=account)
    changes = list(
        service.call(
            folder=folder or account.calendar,
            shape="IdOnly",
            additional_fields=None,
            sync_state=state,
            ignore=None,
            max_changes_returned=size,
            sync_scope=None,
        )
    )
    found = [(kind, item[0].id if isinstance(item, tuple) else item.id) for kind, item in changes]
    return found, service.sync_state, service.includes_last_item_in_range


def test_it_pages_through_everything_once(ada: Account) -> None:
    items = [event(ada, subject=str(number)).save() for number in range(7)]
    seen: list[str] = []
    state, last, pages = None, False, 0
    while not last:
        found, state, last = page(ada, state, size=3)
        assert {kind for kind, _ in found} == {"create"}
        seen += [ident for _, ident in found]
        pages += 1
    assert seen == [item.id for item in items]
    assert pages == 3
    assert page(ada, state) == ([], page(ada, state)[1], True)


def test_it_reports_creations_changes_and_deletions(ada: Account) -> None:
    kept, changed, gone = (event(ada, subject=str(number)).save() for number in range(3))
    _, state, _ = page(ada)
    changed.subject = "changed"
    changed.save(update_fields=["subject"])
    new = event(ada, subject="new").save()
    ident = gone.id
    gone.move_to_trash()
    assert page(ada, state)[0] == [("update", changed.id), ("create", new.id), ("delete", ident)]
    assert kept.id not in [ident for _, ident in page(ada, state)[0]]


def test_it_keeps_silent_about_what_came_and_went(ada: Account) -> None:
    _, state, _ = page(ada)
    event(ada).save().delete()
    assert page(ada, state)[0] == []


def test_it_reports_an_item_that_changes_between_two_pages_as_created(ada: Account) -> None:
    first, second = event(ada, subject="1").save(), event(ada, subject="2").save()
    found, state, _ = page(ada, size=1)
    assert found == [("create", first.id)]
    second.subject = "changed"
    second.save(update_fields=["subject"])
    first.subject = "changed too"
    first.save(update_fields=["subject"])
    assert page(ada, state)[0][0] == ("create", second.id)
    assert ("update", first.id) in page(ada, state)[0]


def test_it_takes_back_what_it_reported_on_an_earlier_page(ada: Account) -> None:
    first, second = event(ada, subject="1").save(), event(ada, subject="2").save()
    _, state, _ = page(ada, size=1)
    ident = first.id
    first.delete()
    assert sorted(page(ada, state)[0]) == [("create", second.id), ("delete", ident)]


def test_it_loses_nothing_whatever_the_page_size(ada: Account) -> None:
    items = {str(number): event(ada, subject=str(number)).save() for number in range(6)}
    known: set[str] = set()
    state, step, last = None, 0, False
    while not last or step < 12:
        if step in (2, 5, 7):
            victim = items.popitem()[1]
            victim.delete()
        if step in (1, 3, 6):
            title = f"late {step}"
            items[title] = event(ada, subject=title).save()
        if step in (2, 4):
            item = next(iter(items.values()))
            item.location = f"room {step}"
            item.save(update_fields=["location"])
        found, state, last = page(ada, state, size=2)
        for kind, ident in found:
            assert (ident in known) == (kind != "create")
            known = known - {ident} if kind == "delete" else known | {ident}
        step += 1
    assert known == {item.id for item in items.values()}


def test_it_reports_a_series_when_one_occurrence_changes(ada: Account) -> None:
    master = series(ada, DailyPattern(interval=1), number=3).save()
    _, state, _ = page(ada)
    occurrence = master.occurrence(2)
    occurrence.refresh()
    occurrence.subject = "own"
    occurrence.save(update_fields=["subject"])
    assert page(ada, state)[0] == [("update", master.id)]


def test_it_reports_read_flags_apart(ada: Account) -> None:
    message = Message(account=ada, folder=ada.drafts, subject="Hello", is_read=False).save()
    _, state, _ = page(ada, folder=ada.drafts)
    message.is_read = True
    message.save(update_fields=["is_read"])
    assert page(ada, state, folder=ada.drafts)[0] == [("read_flag_change", message.id)]


def test_it_refuses_a_state_that_is_not_its_own(lab: Lab) -> None:
    ada, bob = lab.account(ADA), lab.account(BOB)
    _, others, _ = page(bob)
    _, contacts, _ = page(ada, folder=ada.contacts)
    for state in ("H4sIAAAAAAAEAO29", "no base64!", others, contacts):
        with pytest.raises(errors.ErrorInvalidSyncStateData):
            page(ada, state)


def test_it_refuses_a_state_from_before_a_reset(lab: Lab, ada: Account) -> None:
    _, state, _ = page(ada)
    lab.control("POST", "reset", {"keep_accounts": True})
    with pytest.raises(errors.ErrorInvalidSyncStateData):
        page(lab.account(), state)


def test_it_knows_no_deleted_folder(ada: Account) -> None:
    side = Calendar(parent=ada.calendar, name="Side").save()
    _, state, _ = page(ada, folder=side)
    ident = side.id, side.changekey
    side.delete()
    side._id = side.ID_ELEMENT_CLS(*ident)
    with pytest.raises(errors.ErrorSyncFolderNotFound):
        page(ada, state, folder=side)


def test_exchangelib_syncs_with_it(ada: Account) -> None:
    items = [event(ada, subject=str(number)).save() for number in range(5)]
    changes = list(ada.calendar.sync_items(only_fields=["subject"], max_changes_returned=2))
    assert [(kind, item.subject) for kind, item in changes] == [("create", item.subject) for item in items]
    assert list(ada.calendar.sync_items(sync_state=ada.calendar.item_sync_state)) == []
