"""Neutral items: what a person sees, belonging to neither side.

Pure: no I/O, no Django, no wire format. Reading order: ``values`` (the parts an item is made of),
``fields`` (how one row of a field table is declared), ``event`` and ``contact`` (the items and their
tables), ``elements`` (an item as a flat mapping that can be compared and merged), ``fingerprint``
(what the database remembers of it).
"""

from collections.abc import Mapping

from syncapp.items.contact import CONTACT_FIELDS, Contact
from syncapp.items.event import EVENT_FIELDS, Event
from syncapp.items.fields import Field
from syncapp.items.values import Kind

FIELDS: Mapping[Kind, tuple[Field, ...]] = {Kind.EVENT: EVENT_FIELDS, Kind.CONTACT: CONTACT_FIELDS}

Item = Event | Contact

__all__ = ["CONTACT_FIELDS", "EVENT_FIELDS", "FIELDS", "Contact", "Event", "Field", "Item", "Kind"]
