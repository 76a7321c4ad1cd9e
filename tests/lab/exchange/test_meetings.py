"""Meetings: the mailbox organises what is created in it, and the ledger notes mail that would have gone."""

from __future__ import annotations

from exchangelib import Account, Attendee, Mailbox
from exchangelib.items import SEND_TO_ALL_AND_SAVE_COPY, SEND_TO_NONE

from tests.lab.exchange.conftest import ADA, Lab
from tests.lab.exchange.events import event

CARL = Attendee(mailbox=Mailbox(email_address="carl@example.org", name="Carl"), response_type="Accept")


def test_the_mailbox_organises_what_is_created_in_it(lab: Lab, ada: Account) -> None:
    item = event(ada, required_attendees=[CARL]).save(send_meeting_invitations=SEND_TO_NONE)
    found = ada.calendar.get(id=item.id)
    assert found.organizer.email_address == ADA
    assert (found.is_meeting, found.my_response_type) == (True, "Organizer")
    assert [(who.mailbox.email_address, who.response_type) for who in found.required_attendees] == [
        ("carl@example.org", "Accept")
    ]
    assert lab.mail() == []


def test_invitations_updates_and_cancellations_are_noted(lab: Lab, ada: Account) -> None:
    item = event(ada, required_attendees=[CARL]).save(send_meeting_invitations=SEND_TO_ALL_AND_SAVE_COPY)
    assert ada.calendar.get(id=item.id).meeting_request_was_sent is True
    item.location = "Elsewhere"
    item.save(update_fields=["location"], send_meeting_invitations=SEND_TO_ALL_AND_SAVE_COPY)
    item.delete(send_meeting_cancellations=SEND_TO_ALL_AND_SAVE_COPY)
    ledger = lab.mail()
    assert [entry["kind"] for entry in ledger] == ["request", "update", "cancellation"]
    assert {(entry["mailbox"], tuple(entry["to"])) for entry in ledger} == {(ADA, ("carl@example.org",))}
    lab.control("DELETE", "mail")
    assert lab.mail() == []


def test_nothing_is_sent_without_attendees(lab: Lab, ada: Account) -> None:
    event(ada).save(send_meeting_invitations=SEND_TO_ALL_AND_SAVE_COPY)
    assert lab.mail() == []


def test_somebody_else_may_organise(lab: Lab, ada: Account) -> None:
    me = Attendee(mailbox=Mailbox(email_address=ADA, name="Ada"), response_type="Unknown")
    item = event(ada, required_attendees=[me]).save(send_meeting_invitations=SEND_TO_NONE)
    lab.control("POST", "organizer", {"item": item.id, "address": "boss@example.org", "name": "Boss"})
    found = ada.calendar.get(id=item.id)
    assert found.organizer.email_address == "boss@example.org"
    assert found.my_response_type == "NoResponseReceived"
    found.delete(send_meeting_cancellations=SEND_TO_ALL_AND_SAVE_COPY)
    assert lab.mail() == []
