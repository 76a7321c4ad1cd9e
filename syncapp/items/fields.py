"""How one row of a field table is declared, and the normal forms that rows use.

A normal form turns a value into a text that is equal for values a person would call the same. Only normal forms are
compared and fingerprinted; the values themselves are what travels. Changing one means raising
``NORMAL_FORM_VERSION``: an object that is, as a whole, what it was is then fingerprinted afresh instead of merged
(docs/architecture.md, "Base"). What ``Object.whole`` is made of must not change in the same release.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

NORMAL_FORM_VERSION = 2

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
"""Unicode's category Cc."""


_FOR_THE_EYE = dict.fromkeys(map(ord, " ()./-\u2010\u2011\u2012\u2013\u2014\u2015"))
"""What people write between the digits of a phone number."""


class Shape(StrEnum):
    """How the value of a field is merged: as one, or member by member."""

    SCALAR = "scalar"
    KEYED = "keyed"


@dataclass(frozen=True)
class Field:
    """One row of a field table.

    ``normal`` turns the value (for a keyed field: one member) into its normal form; the empty text means that there
    is nothing. ``key`` names a member of a keyed field: members with the same key on both sides are the same member.
    Fields of one ``group`` are decided together when both sides changed any of them: a start from one side and an end
    from the other would be an event that nobody wrote. ``read_only`` fields are never written to Exchange.
    ``alike`` tells of two values with different normal forms whether they are the same to a person all the same; it is
    asked only where a side has changed.
    """

    name: str
    label: str
    text: str
    ews: str
    normal: Callable[[Any], str]
    graph: str = ""
    shape: Shape = Shape.SCALAR
    key: Callable[[Any], str] | None = None
    group: str = ""
    per_occurrence: bool = False
    read_only: bool = False
    alike: Callable[[Any, Any], bool] | None = None
    note: str = ""
    element: tuple[str] = field(init=False)
    """The path of the field in an item that has one value for it."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "element", (self.name,))


def line(value: str) -> str:
    """One line of text: composed (NFC), white space folded, control characters gone."""
    if not (value.isascii() and value.isprintable()):
        value = unicodedata.normalize("NFC", _CONTROL.sub(" ", value))
    return " ".join(value.split())


def paragraphs(value: str) -> str:
    """Text with lines: composed, each line folded as ``line``, no blank lines at the ends, at most one between."""
    text = "\n".join([line(each) for each in value.replace("\r\n", "\n").replace("\r", "\n").split("\n")])
    if "\n\n\n" in text:
        text = re.sub(r"\n{3,}", "\n\n", text)
    return text.strip("\n")


def digits(value: str) -> str:
    """A phone number without the characters that people write for the eye; an extension stays.

    >>> digits("+49 (30) 123-456")
    '+4930123456'
    """
    return line(value).translate(_FOR_THE_EYE).lower()


def address_key(value: str) -> str:
    """A mail address for comparing: case and the scheme do not matter.

    >>> address_key("mailto:Anna@Lab.Example")
    'anna@lab.example'
    """
    folded = line(value).casefold()
    return folded.removeprefix("mailto:")


def number(value: int | None) -> str:
    """A number, or nothing."""
    return "" if value is None else str(value)


def digest(value: bytes) -> str:
    """The name of a content of bytes."""
    return hashlib.sha256(value).hexdigest()


def joined(*parts: str) -> str:
    """Several normal forms as one; nothing if all are empty."""
    return "\x1f".join(parts) if any(parts) else ""
