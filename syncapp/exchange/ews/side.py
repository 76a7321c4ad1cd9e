"""The way in: Exchange sides for the kinds of items of one mailbox."""

from __future__ import annotations

from syncapp.exchange.ews.common import EwsSide
from syncapp.exchange.ews.connection import Connection
from syncapp.exchange.ews.contact_side import EwsContactSide
from syncapp.exchange.ews.contacts import read_contact
from syncapp.exchange.ews.event_side import EwsEventSide
from syncapp.exchange.ews.events import read_event
from syncapp.exchange.ews.landmarks import Landmarks
from syncapp.exchange.ews.native import Native
from syncapp.exchange.ews.posting import Account
from syncapp.items import Item
from syncapp.items.values import Kind

_SIDES: dict[Kind, type[EwsSide]] = {Kind.EVENT: EwsEventSide, Kind.CONTACT: EwsContactSide}


def open_side(kind: Kind, connection: Connection, home: str = "UTC") -> EwsSide:
    """The side for ``kind`` of the connection's mailbox.

    ``home`` is the zone (an IANA name) in which days begin and floating times are meant.
    """
    return _SIDES[kind](connection, home)


def open_sides(connection: Connection, home: str = "UTC") -> dict[Kind, EwsSide]:
    """The sides for all kinds; they look at the mailbox together."""
    landmarks = Landmarks(connection)
    return {kind: side(connection, home, landmarks) for kind, side in _SIDES.items()}


def check_mailbox(account: Account, mailbox: str) -> None:
    """Returns when the account may open the mailbox. Raises what keeps it from that."""
    connection = Connection(account, mailbox)
    try:
        Landmarks(connection).visit()
    finally:
        connection.close()


def unpack(kind: Kind, packed: bytes, home: str = "UTC") -> Item:
    """The item in what ``Side.pack`` packed, without a connection. Raises ``Unreadable``."""
    native = Native.unpack(packed)
    return read_event(native, home) if kind is Kind.EVENT else read_contact(native, home)


__all__ = ["EwsSide", "check_mailbox", "open_side", "open_sides", "unpack"]
