"""The way in: an Exchange side for one kind of item of one mailbox."""

from __future__ import annotations

from syncapp.exchange.ews.common import EwsSide
from syncapp.exchange.ews.connection import Connection
from syncapp.exchange.ews.contact_side import EwsContactSide
from syncapp.exchange.ews.event_side import EwsEventSide
from syncapp.items.values import Kind

_SIDES: dict[Kind, type[EwsSide]] = {Kind.EVENT: EwsEventSide, Kind.CONTACT: EwsContactSide}


def open_side(kind: Kind, connection: Connection, home: str = "UTC") -> EwsSide:
    """The side for ``kind`` of the connection's mailbox; both kinds may share a connection.

    ``home`` is the zone (an IANA name) in which days begin and floating times are meant.
    """
    return _SIDES[kind](connection, home)


__all__ = ["EwsSide", "open_side"]
