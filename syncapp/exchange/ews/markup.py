"""What we say to Exchange, as text: requests are written, not built as trees.

A tree of elements for a batch of items costs several times as much processor time as its text does
(docs/performance.md). What texts of people are made of never gets into a request unescaped: ``Markup`` is a type of its
own that only ``t``, ``m`` and ``joined`` make, and they escape every other text that they are given.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

from syncapp.exchange.ews.xml import ILLEGAL


class Markup(str):
    """Well-formed XML with the prefixes ``t`` and ``m``: it goes into a request as it stands."""

    __slots__ = ()


def t(name: str, *content: str | None, **attributes: str) -> Markup:
    """An element of the types namespace; ``content`` is its text or its children, None is left out."""
    return _element(f"t:{name}", content, attributes)


def m(name: str, *content: str | None, **attributes: str) -> Markup:
    """An element of the messages namespace, as ``t``."""
    return _element(f"m:{name}", content, attributes)


def joined(parts: Iterable[Markup]) -> Markup:
    """Several elements one after the other."""
    return Markup("".join(parts))


def as_is(content: str) -> Markup:
    """A text of which its source guarantees that it holds nothing to escape, as base64."""
    return Markup(content)


def _element(name: str, content: tuple[str | None, ...], attributes: dict[str, str]) -> Markup:
    inside = "".join([each if type(each) is Markup else _text(each) for each in content if each is not None])
    if attributes:
        marks = "".join([f' {key}="{_attribute(value)}"' for key, value in attributes.items()])
        return Markup(f"<{name}{marks}>{inside}</{name}>")
    return Markup(f"<{name}>{inside}</{name}>")


def _escape(references: Mapping[str, str]) -> Callable[[str], str]:
    """Puts references where a character means something, and leaves out those that XML can't hold."""
    special = re.compile(f"[{''.join(references)}{ILLEGAL}]")

    def reference(found: re.Match[str]) -> str:
        return references.get(found[0], "")

    return lambda text: special.sub(reference, text)


# XML 1.0 sections 2.4, 2.11 and 3.3.3: a reader turns a bare carriage return into a line feed, and in an attribute
# every white space into a blank.
_IN_TEXT = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"}
_text = _escape(_IN_TEXT)
_attribute = _escape({**_IN_TEXT, '"': "&quot;", "\t": "&#9;", "\n": "&#10;"})
