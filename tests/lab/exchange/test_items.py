"""Items of all kinds: created, read, changed under preconditions, deleted; what is lost on the way."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from exchangelib import Account, Contact, ExtendedProperty, HTMLBody, Message, Task, errors
from exchangelib.items import (
    ALWAYS_OVERWRITE,
    AUTO_RESOLVE,
    HARD_DELETE,
    MOVE_TO_DELETED_ITEMS,
    NEVER_OVERWRITE,
    SEND_TO_NONE,
    SOFT_DELETE,
)
from exchangelib.properties import ItemId
from exchangelib.services import GetItem, UpdateItem

from tests.lab.exchange.conftest import Lab
from tests.lab.exchange.events import event, raw


def update(account: Account, item: Any, field: str, resolution: str = NEVER_OVERWRITE) -> None:
    """One UpdateItem of one field under a conflict resolution; raises the item's error."""
    (_,) = UpdateItem(account=account).call(
        items=[(item, [field])],
        conflict_resolution=resolution,
        message_disposition="SaveOnly",
        send_meeting_invitations_or_cancellations=SEND_TO_NONE,
        suppress_read_receipts=True,
    )


def test_it_returns_what_was_stored(ada: Account) -> None:
    given = event(
        ada,
        location="Room 1",
        body="first line\nsecond line",
        categories=["Red", "Blue"],
        sensitivity="Private",
        importance="High",
        legacy_free_busy_status="OOF",
        reminder_is_set=True,
        reminder_minutes_before_start=30,
    ).save()
    found = ada.calendar.get(id=given.id)
    assert (found.subject, found.location, found.categories) == ("Review", "Room 1", ["Red", "Blue"])
    assert (found.start, found.end) == (given.start, given.end)
    assert found.body == "first line\r\nsecond line"
    assert (found.sensitivity, found.importance) == ("Private", "High")
    assert (found.legacy_free_busy_status, found.reminder_minutes_before_start) == ("OOF", 30)
    assert found.type == "Single"


def test_it_gives_a_new_change_key_with_every_write(ada: Account) -> None:
    item = event(ada).save()
    keys = {item.changekey}
    for title in ("one", "two"):
        item.subject = title
        item.save(update_fields=["subject"])
        keys.add(item.changekey)
    assert len(keys) == 3


def test_it_cuts_what_does_not_fit(ada: Account) -> None:
    item = event(ada, subject="s" * 255, location="l" * 255).save()
    item.location = "x" * 255
    item.save(update_fields=["location"])
    assert len(ada.calendar.get(id=item.id).subject) == 255


def test_it_rewrites_html(ada: Account) -> None:
    item = event(ada, body=HTMLBody("<p>Hi <b>you</b></p><script>evil()</script>")).save()
    found = ada.calendar.get(id=item.id)
    assert isinstance(found.body, HTMLBody)
    assert found.body.startswith("<html>")
    assert "<p>Hi <b>you</b></p>" in found.body
    assert found.text_body == "Hi you"


def test_it_filters_html_when_asked_to(lab: Lab, ada: Account) -> None:
    item = event(ada, body=HTMLBody("<p onclick='evil()'>Hi</p><script>evil()</script>")).save()
    request = (
        "<m:GetItem {ns}><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape><t:FilterHtmlContent>FILTER"
        '</t:FilterHtmlContent><t:AdditionalProperties><t:FieldURI FieldURI="item:Body"/></t:AdditionalProperties>'
        '</m:ItemShape><m:ItemIds><t:ItemId Id="IDENT"/></m:ItemIds></m:GetItem>'
    ).replace("IDENT", item.id)
    assert "evil" in raw(lab, ada, request.replace("FILTER", "false"))
    clean = raw(lab, ada, request.replace("FILTER", "true"))
    assert "evil" not in clean
    assert "Hi" in clean


def test_the_stricter_of_two_sensitivities_stays(ada: Account) -> None:
    mine = event(ada, sensitivity="Normal").save()
    theirs = ada.calendar.get(id=mine.id)
    theirs.sensitivity = "Confidential"
    theirs.save(update_fields=["sensitivity"])
    mine.sensitivity = "Personal"
    update(ada, mine, "sensitivity", AUTO_RESOLVE)
    assert ada.calendar.get(id=mine.id).sensitivity == "Confidential"


@pytest.mark.parametrize(
    ("element", "code"),
    [
        ("<t:ItemClass>IPM.Note</t:ItemClass>", "ErrorObjectTypeChanged"),
        ("<t:ItemClass>IPM.Appointment.Own</t:ItemClass>", "NoError"),
        ("<t:DateTimeCreated>2020-01-01T00:00:00Z</t:DateTimeCreated>", "ErrorInvalidPropertySet"),
        ("<t:Preview>x</t:Preview>", "ErrorInvalidPropertySet"),
        ("<t:Organizer><t:Mailbox><t:EmailAddress>e@x.org</t:EmailAddress></t:Mailbox></t:Organizer>", "NoError"),
    ],
)
def test_it_refuses_what_is_read_only(lab: Lab, ada: Account, element: str, code: str) -> None:
    request = (
        '<m:CreateItem SendMeetingInvitations="SendToNone" {ns}><m:Items><t:CalendarItem>ELEMENT</t:CalendarItem>'
        "</m:Items></m:CreateItem>"
    )
    assert f"<m:ResponseCode>{code}</m:ResponseCode>" in raw(lab, ada, request.replace("ELEMENT", element))


def test_it_deletes_single_fields(ada: Account) -> None:
    item = event(ada, location="Room 1", categories=["Red"]).save()
    item.location = None
    item.categories = None
    item.save(update_fields=["location", "categories"])
    found = ada.calendar.get(id=item.id)
    assert (found.location, found.categories) == (None, None)


def test_it_refuses_a_stale_change_key(ada: Account) -> None:
    mine = event(ada).save()
    theirs = ada.calendar.get(id=mine.id)
    theirs.subject = "theirs"
    theirs.save(update_fields=["subject"])
    mine.subject = "mine"
    with pytest.raises(errors.ErrorIrresolvableConflict):
        update(ada, mine, "subject")
    assert ada.calendar.get(id=mine.id).subject == "theirs"


@pytest.mark.parametrize("resolution", [AUTO_RESOLVE, ALWAYS_OVERWRITE])
def test_it_overwrites_when_told_to(ada: Account, resolution: str) -> None:
    mine = event(ada).save()
    theirs = ada.calendar.get(id=mine.id)
    theirs.location = "theirs"
    theirs.save(update_fields=["location"])
    mine.subject = "mine"
    update(ada, mine, "subject", resolution)
    found = ada.calendar.get(id=mine.id)
    assert (found.subject, found.location) == ("mine", "theirs")


def test_it_answers_for_each_item_of_a_batch(ada: Account) -> None:
    items = [event(ada, subject=f"event {number}").save() for number in range(3)]
    idents = [(item.id, item.changekey) for item in items]
    items[1].delete()
    service = GetItem(account=ada)
    service.ERRORS_TO_CATCH_IN_RESPONSE = (errors.ErrorItemNotFound,)
    found = list(service.call(items=[ItemId(*ident) for ident in idents], additional_fields=None, shape="Default"))
    assert [getattr(item, "subject", type(item)) for item in found] == ["event 0", errors.ErrorItemNotFound, "event 2"]


def test_it_creates_hundreds_at_once(ada: Account) -> None:
    created = ada.bulk_create(ada.calendar, [event(ada, subject=f"event {n}") for n in range(300)], chunk_size=150)
    assert len({result.id for result in created}) == 300
    assert ada.calendar.all().count() == 300


@pytest.mark.parametrize(
    ("how", "binned"), [(MOVE_TO_DELETED_ITEMS, "trash"), (SOFT_DELETE, "recoverable_items_deletions")]
)
def test_it_keeps_deleted_items_in_the_bin(ada: Account, how: str, binned: str) -> None:
    item = event(ada).save()
    ada.bulk_delete([item], delete_type=how, send_meeting_cancellations=SEND_TO_NONE)
    assert ada.calendar.all().count() == 0
    (found,) = getattr(ada, binned).all().only("subject")
    assert found.subject == "Review"
    assert found.id != item.id


def test_it_forgets_hard_deleted_items(ada: Account) -> None:
    item = event(ada).save()
    ada.bulk_delete([item], delete_type=HARD_DELETE, send_meeting_cancellations=SEND_TO_NONE)
    assert ada.trash.all().count() == 0
    with pytest.raises(errors.ErrorItemNotFound):
        ada.calendar.get(id=item.id)


def test_it_copies_under_another_id(ada: Account) -> None:
    item = event(ada, body="kept").save()
    ident, _ = item.copy(ada.calendar)
    assert ident != item.id
    assert ada.calendar.get(id=ident).body == "kept"


def test_it_refuses_ids_that_it_did_not_make(ada: Account) -> None:
    with pytest.raises(errors.ErrorInvalidIdMalformed):
        ada.calendar.get(id="bm9uc2Vuc2U=")


def test_it_wants_the_end_after_the_start(lab: Lab, ada: Account) -> None:
    answer = raw(
        lab,
        ada,
        '<m:CreateItem SendMeetingInvitations="SendToNone" {ns}><m:Items><t:CalendarItem>'
        "<t:Start>2026-03-02T10:00:00Z</t:Start><t:End>2026-03-02T09:00:00Z</t:End>"
        "</t:CalendarItem></m:Items></m:CreateItem>",
    )
    assert "ErrorCalendarEndDateIsEarlierThanStartDate" in answer


def test_it_wants_to_know_about_invitations(lab: Lab, ada: Account) -> None:
    answer = raw(lab, ada, "<m:CreateItem {ns}><m:Items><t:CalendarItem/></m:Items></m:CreateItem>")
    assert "ErrorSendMeetingInvitationsRequired" in answer


def test_it_drops_elements_it_does_not_know(lab: Lab, ada: Account) -> None:
    answer = raw(
        lab,
        ada,
        '<m:CreateItem SendMeetingInvitations="SendToNone" {ns}><m:Items><t:CalendarItem><t:Subject>Kept</t:Subject>'
        "<t:When>lost</t:When></t:CalendarItem></m:Items></m:CreateItem>",
    )
    assert "NoError" in answer
    (item,) = lab.control("GET", "items?mailbox=ada@lab.example")
    assert item["props"]["Subject"] == "Kept"
    assert "When" not in item["props"]


def test_it_keeps_tasks(ada: Account) -> None:
    task = Task(account=ada, folder=ada.tasks, subject="Pay", percent_complete=Decimal(50)).save()
    # exchangelib always sends a status; "not started" wins over the percentage.
    assert ada.tasks.get(id=task.id).percent_complete == 0
    task.percent_complete = Decimal(50)
    task.save(update_fields=["percent_complete"])
    assert ada.tasks.get(id=task.id).status == "InProgress"
    task.status = "Completed"
    task.save(update_fields=["status"])
    found = ada.tasks.get(id=task.id)
    assert (found.is_complete, found.percent_complete) == (True, 100)
    assert found.complete_date is not None


def test_it_keeps_messages(ada: Account) -> None:
    message = Message(account=ada, folder=ada.drafts, subject="Hello", body="text", to_recipients=["bob@lab.example"])
    message.save()
    found = ada.drafts.get(id=message.id)
    assert [person.email_address for person in found.to_recipients] == ["bob@lab.example"]


class OwnId(ExtendedProperty):  # type: ignore[misc]
    """An id of a client's own."""

    property_set_id = "6a5e1f1c-5f0e-4b7b-9a35-7f0f2a6f0c11"
    property_name = "own-id"
    property_type = "String"


@pytest.mark.parametrize("kind", ["event", "contact"])
def test_it_finds_items_by_a_clients_own_property(ada: Account, kind: str) -> None:
    made = type(event(ada)) if kind == "event" else Contact
    folder = ada.calendar if kind == "event" else ada.contacts
    made.register("own_id", OwnId)
    try:
        for number in range(3):
            item = event(ada) if kind == "event" else Contact(account=ada, folder=folder, display_name="x", file_as="x")
            item.own_id = f"id-{number}"
            item.save()
        (found,) = folder.filter(own_id="id-1").only("own_id")
        assert found.own_id == "id-1"
        found.own_id = "id-9"
        found.save(update_fields=["own_id"])
        assert folder.filter(own_id__in=["id-1", "id-9"]).count() == 1
        assert folder.filter(own_id="ID-9").count() == 0
    finally:
        made.deregister("own_id")
