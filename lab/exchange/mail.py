"""The mail ledger: what a real Exchange would have sent because of a write on a calendar."""

from __future__ import annotations

from lab.exchange.view import View

INVITED = ("RequiredAttendees", "OptionalAttendees", "Resources")
# Sending choices of CreateItem, UpdateItem and DeleteItem under which mail goes out (MS-OXWSCDATA).
_QUIET = frozenset({"SendToNone"})


def invite(view: View, sending: str, kind: str, also: list[dict[str, str]] | None = None) -> None:
    """Note a message about a meeting to its attendees, unless nobody is to be told.

    ``kind``: request, update or cancellation. ``also``: people who were attendees until this write.
    """
    people = {person["address"].lower(): person for person in [*view.attendees, *(also or [])]}
    people.pop(view.mailbox.address.lower(), None)
    if sending in _QUIET or not people:
        return
    view.store.add_mail(
        {
            "kind": kind,
            "sending": sending,
            "mailbox": view.mailbox.address,
            "to": sorted(people),
            "uid": view.get("UID"),
            "subject": view.get("Subject", ""),
            "item": view.ident,
        }
    )
