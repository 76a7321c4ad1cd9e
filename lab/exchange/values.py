"""Types of EWS values: how each is read from a request, kept, and written into an answer.

What is kept is plain JSON: text, numbers, lists and dicts; moments as UTC text in whole seconds.
"""

# ruff: noqa: ARG002 - all types share one signature
from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any, Protocol

from lxml import etree

from lab.exchange import body as bodies
from lab.exchange import recurrence, timezones
from lab.exchange.soap import Element, EwsError, T, local


@dataclass
class Context:
    """What a request says about reading and writing values: its zone (TimeZoneContext), its wish for bodies.

    ``naive`` is the zone of date-times that carry none; it changes while an item with a StartTimeZone is read.
    """

    zone: tzinfo = UTC
    naive: tzinfo = UTC
    body_type: str = "Best"
    filter_html: bool = False

    def written(self, moment: datetime) -> str:
        """A moment in the answer's zone; UTC as ``Z``.

        Before there were zones, clocks went by the sun: XML Schema has no such offsets, and Windows no such zones.
        """
        local = moment.astimezone(self.zone).replace(microsecond=0)
        offset = local.utcoffset()
        text = (local if offset and not offset.total_seconds() % 60 else moment.astimezone(UTC)).isoformat()
        return text.replace("+00:00", "Z")

    def date_suffix(self, day: str) -> str:
        """The zone that Exchange puts behind an xs:date."""
        if self.zone is UTC:
            return "Z"
        text = datetime.fromisoformat(day).replace(tzinfo=self.zone).isoformat()[19:]
        return text.replace("+00:00", "Z")

    def read_moment(self, text: str) -> datetime:
        """An xs:dateTime in UTC; without a zone it is in ``naive``. Exchange keeps no fractions of a second."""
        try:
            moment = datetime.fromisoformat(text.strip())
        except ValueError:
            raise EwsError("ErrorSchemaValidation", f"{text!r} is no date and time.") from None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=self.naive)
        try:
            return moment.astimezone(UTC).replace(microsecond=0)
        except OverflowError:
            raise EwsError("ErrorCalendarOutOfRange", "The date is out of range.") from None


class ValueType(Protocol):
    """How one type of value travels."""

    def read(self, element: Element, context: Context) -> Any:
        """The kept form of a request's element; ``None`` when it says nothing."""

    def write(self, tag: str, value: Any, context: Context) -> Element:
        """An answer's element."""


def _leaf(tag: str, text: str) -> Element:
    element = etree.Element(tag)
    element.text = text
    return element


@dataclass(frozen=True)
class Text:
    """A string; what is longer than ``limit`` is cut, as the MAPI property behind it would be."""

    limit: int | None = None

    def read(self, element: Element, context: Context) -> str:
        text = element.text or ""
        return text[: self.limit] if self.limit else text

    def write(self, tag: str, value: Any, context: Context) -> Element:
        return _leaf(tag, value)


class Flag:
    """A boolean."""

    def read(self, element: Element, context: Context) -> bool:
        return (element.text or "").strip() in ("true", "1")

    def write(self, tag: str, value: Any, context: Context) -> Element:
        return _leaf(tag, "true" if value else "false")


class Whole:
    """An integer."""

    def read(self, element: Element, context: Context) -> int:
        try:
            return int(element.text or "")
        except ValueError:
            raise EwsError("ErrorSchemaValidation", f"{element.text!r} is no number.") from None

    def write(self, tag: str, value: Any, context: Context) -> Element:
        return _leaf(tag, str(value))


class Number:
    """A double."""

    def read(self, element: Element, context: Context) -> float:
        return float(element.text or "0")

    def write(self, tag: str, value: Any, context: Context) -> Element:
        return _leaf(tag, f"{value:g}")


class Moment:
    """A point in time; kept as UTC text."""

    def read(self, element: Element, context: Context) -> str:
        return context.read_moment(element.text or "").strftime("%Y-%m-%dT%H:%M:%SZ")

    def write(self, tag: str, value: Any, context: Context) -> Element:
        return _leaf(tag, context.written(datetime.fromisoformat(value)))


class Texts:
    """A list of strings; an empty one is nothing."""

    def read(self, element: Element, context: Context) -> list[str] | None:
        return [child.text or "" for child in element] or None

    def write(self, tag: str, value: Any, context: Context) -> Element:
        root = etree.Element(tag)
        for text in value:
            etree.SubElement(root, f"{T}String").text = text
        return root


class BodyText:
    """A body; see body.py for what becomes of it."""

    def read(self, element: Element, context: Context) -> bodies.Body:
        return bodies.normalised(element.get("BodyType", "Text"), element.text or "")

    def write(self, tag: str, value: Any, context: Context) -> Element:
        shown = bodies.converted(value, context.body_type)
        if context.filter_html:
            shown = bodies.filtered(shown)
        element = _leaf(tag, shown["text"])
        element.set("BodyType", shown["type"])
        element.set("IsTruncated", "false")
        return element


@dataclass(frozen=True)
class Slots:
    """A dictionary with fixed keys of plain strings (phones, e-mail and IM addresses); other keys are lost."""

    keys: tuple[str, ...]
    mail: bool = False

    def read(self, element: Element, context: Context) -> dict[str, str] | None:
        entries = {entry.get("Key", ""): (entry.text or "").strip() for entry in element}
        return {key: entries[key] for key in self.keys if entries.get(key)} or None

    def write(self, tag: str, value: Any, context: Context) -> Element:
        root = etree.Element(tag)
        for key in self.keys:
            if key in value:
                entry = etree.SubElement(root, f"{T}Entry", Key=key)
                entry.text = value[key]
                if self.mail:
                    entry.set("Name", value[key])
                    entry.set("RoutingType", "SMTP")
                    entry.set("MailboxType", "Contact")
        return root


ADDRESS_PARTS = ("Street", "City", "State", "CountryOrRegion", "PostalCode")


@dataclass(frozen=True)
class Addresses:
    """The three postal addresses, each a dict of its parts."""

    keys: tuple[str, ...] = ("Business", "Home", "Other")

    def read(self, element: Element, context: Context) -> dict[str, dict[str, str]] | None:
        value: dict[str, dict[str, str]] = {}
        for entry in element:
            parts = {local(part): part.text for part in entry if part.text and local(part) in ADDRESS_PARTS}
            if parts and entry.get("Key") in self.keys:
                value[entry.get("Key", "")] = parts
        return value or None

    def write(self, tag: str, value: Any, context: Context) -> Element:
        root = etree.Element(tag)
        for key in self.keys:
            if key in value:
                entry = etree.SubElement(root, f"{T}Entry", Key=key)
                for part in ADDRESS_PARTS:
                    if part in value[key]:
                        etree.SubElement(entry, f"{T}{part}").text = value[key][part]
        return root


def read_mailbox(element: Element) -> dict[str, str]:
    """A Mailbox element as {"name", "address"}."""
    address = (element.findtext(f"{T}EmailAddress") or "").strip()
    return {"name": element.findtext(f"{T}Name") or address, "address": address}


def write_mailbox(parent: Element, value: dict[str, str], kind: str = "OneOff") -> None:
    """Append a Mailbox element."""
    mailbox = etree.SubElement(parent, f"{T}Mailbox")
    etree.SubElement(mailbox, f"{T}Name").text = value["name"]
    if value["address"]:
        etree.SubElement(mailbox, f"{T}EmailAddress").text = value["address"]
    etree.SubElement(mailbox, f"{T}RoutingType").text = "SMTP"
    etree.SubElement(mailbox, f"{T}MailboxType").text = value.get("kind", kind)


class Person:
    """A single recipient."""

    def read(self, element: Element, context: Context) -> dict[str, str] | None:
        mailbox = element.find(f"{T}Mailbox")
        return None if mailbox is None else read_mailbox(mailbox)

    def write(self, tag: str, value: Any, context: Context) -> Element:
        root = etree.Element(tag)
        write_mailbox(root, value, "Mailbox")
        return root


class People:
    """A list of recipients (messages)."""

    def read(self, element: Element, context: Context) -> list[dict[str, str]] | None:
        return [read_mailbox(mailbox) for mailbox in element.iterfind(f"{T}Mailbox")] or None

    def write(self, tag: str, value: Any, context: Context) -> Element:
        root = etree.Element(tag)
        for person in value:
            write_mailbox(root, person)
        return root


class Attendees:
    """Attendees with what they answered."""

    def read(self, element: Element, context: Context) -> list[dict[str, str]] | None:
        found = []
        for attendee in element.iterfind(f"{T}Attendee"):
            mailbox = attendee.find(f"{T}Mailbox")
            if mailbox is None:
                continue
            person = read_mailbox(mailbox)
            person["response"] = attendee.findtext(f"{T}ResponseType") or "Unknown"
            if answered := attendee.findtext(f"{T}LastResponseTime"):
                person["answered"] = context.read_moment(answered).strftime("%Y-%m-%dT%H:%M:%SZ")
            found.append(person)
        return found or None

    def write(self, tag: str, value: Any, context: Context) -> Element:
        root = etree.Element(tag)
        for person in value:
            attendee = etree.SubElement(root, f"{T}Attendee")
            write_mailbox(attendee, person)
            etree.SubElement(attendee, f"{T}ResponseType").text = person.get("response", "Unknown")
            if "answered" in person:
                moment = datetime.fromisoformat(person["answered"])
                etree.SubElement(attendee, f"{T}LastResponseTime").text = context.written(moment)
        return root


class Zone:
    """A TimeZoneDefinition."""

    def read(self, element: Element, context: Context) -> timezones.Zone:
        return timezones.read_zone(element)

    def write(self, tag: str, value: Any, context: Context) -> Element:
        return timezones.write_zone(tag, value)


class Recurrence:
    """A recurrence pattern with its range."""

    def read(self, element: Element, context: Context) -> recurrence.Recurrence | None:
        return recurrence.read_recurrence(element) if len(element) else None

    def write(self, tag: str, value: Any, context: Context) -> Element:
        return recurrence.write_recurrence(tag, value, context.date_suffix)


@dataclass(frozen=True)
class Parts:
    """An element of named strings, booleans or moments, only ever written (CompleteName, EffectiveRights …)."""

    names: tuple[str, ...]

    def read(self, element: Element, context: Context) -> dict[str, str] | None:
        return {local(child): child.text or "" for child in element} or None

    def write(self, tag: str, value: Any, context: Context) -> Element:
        root = etree.Element(tag)
        for name in self.names:
            if name in value:
                etree.SubElement(root, f"{T}{name}").text = value[name]
        return root


class Built:
    """An element that its maker (computed.py) hands over as a function of the tag and the context."""

    def read(self, element: Element, context: Context) -> None:
        return None

    def write(self, tag: str, value: Callable[[str, Context], Element], context: Context) -> Element:
        return value(tag, context)


def children(parent: Element, elements: Iterable[Element | None]) -> Element:
    """Append those that exist; returns the parent."""
    parent.extend([element for element in elements if element is not None])
    return parent
