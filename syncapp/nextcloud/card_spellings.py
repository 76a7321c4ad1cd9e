"""What programs call the properties of people that vCard 3.0 has no name for, or several. Pure.

The first spelling of each is the one that new lines get: it is what Nextcloud's own Contacts shows, where it shows the
property at all. The X-MS- ones are Outlook's (MS-OXVCARD), others those of Evolution, KDE and Apple.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from syncapp.items.contact import im_key
from syncapp.items.fields import line as plain
from syncapp.nextcloud.card_lines import label_of, meaning_of, preferred, text_of
from syncapp.nextcloud.content_lines import Component, Line

TEXTS: Mapping[str, tuple[str, ...]] = {
    "job_title": ("TITLE",),
    "profession": ("ROLE",),
    "phonetic_given_name": ("X-PHONETIC-FIRST-NAME",),
    "phonetic_surname": ("X-PHONETIC-LAST-NAME",),
    "phonetic_company": ("X-PHONETIC-ORG",),
    "file_as": ("X-EVOLUTION-FILE-AS", "X-MS-FILE-AS", "X-FILE-AS"),
}
"""Fields that are one text each."""

RELATIONS: Mapping[str, str] = {"manager": "MANAGER", "assistant": "ASSISTANT", "spouse": "SPOUSE", "children": "CHILD"}
"""Fields that name other people, and the TYPE that RELATED has for them."""
RELATED, _APPLES_RELATED = "RELATED", "X-ABRELATEDNAMES"
_RELATION_NAMES: Mapping[str, tuple[str, ...]] = {
    "manager": ("X-MS-MANAGER", "X-EVOLUTION-MANAGER", "X-KADDRESSBOOK-X-MANAGERSNAME", "X-MANAGER"),
    "assistant": ("X-MS-ASSISTANT", "X-EVOLUTION-ASSISTANT", "X-KADDRESSBOOK-X-ASSISTANTSNAME", "X-ASSISTANT"),
    "spouse": ("X-MS-SPOUSE", "X-EVOLUTION-SPOUSE", "X-KADDRESSBOOK-X-SPOUSESNAME", "X-SPOUSE"),
    "children": ("X-MS-CHILD",),
}
_APPLES_LABELS = {"manager": "manager", "assistant": "assistant", "spouse": "spouse", "child": "children"}
_ANNIVERSARIES = (
    "ANNIVERSARY",
    "X-ANNIVERSARY",
    "X-MS-ANNIVERSARY",
    "X-EVOLUTION-ANNIVERSARY",
    "X-KADDRESSBOOK-X-ANNIVERSARY",
)
_APPLES_DATE = "X-ABDATE"
_IM_NAMES = (
    *("IMPP", "X-MS-IMADDRESS", "X-AIM", "X-ICQ", "X-JABBER", "X-MSN", "X-YAHOO", "X-SKYPE", "X-SKYPE-USERNAME"),
    *("X-GOOGLE-TALK", "X-GTALK", "X-GADUGADU", "X-GROUPWISE", "X-QQ", "X-SIP"),
)
RARE = frozenset(
    {
        *(name for field, names in TEXTS.items() if field != "job_title" for name in names),
        *(RELATED, _APPLES_RELATED, *(name for names in _RELATION_NAMES.values() for name in names)),
        *(*_ANNIVERSARIES, _APPLES_DATE, *_IM_NAMES, "CLASS"),
    }
)
"""Lines that most cards have none of: nothing is looked for in these."""
_URI = re.compile(r"[a-z][a-z0-9+.-]*:\S+", re.IGNORECASE)


def text_line(card: Component, field: str) -> Line | None:
    """The line that says what ``field`` of TEXTS is: the first with this or an older name."""
    for name in TEXTS[field]:
        if (found := card.first(name)) is not None:
            return found
    return None


def relations_of(card: Component) -> Mapping[str, list[tuple[Line, str]]]:
    """By field of RELATIONS the people that a card names as text, each with its line; not those that it points at."""
    found: dict[str, list[tuple[Line, str]]] = {}
    for each in card.all(RELATED):
        if field := _related_field(each):
            _note(found, field, each)
    for field, names in _RELATION_NAMES.items():
        for name in names:
            for each in card.all(name):
                _note(found, field, each)
    for each in card.all(_APPLES_RELATED):
        if field := _APPLES_LABELS.get(label_of(each, card), ""):
            _note(found, field, each)
    return found


def _note(found: dict[str, list[tuple[Line, str]]], field: str, each: Line) -> None:
    if plain(text := text_of(each)):
        found.setdefault(field, []).append((each, text.strip()))


def _related_field(each: Line) -> str:
    """The field that a RELATED is for. One that is an address (RFC 6350 section 6.6.6: the usual value) is for none."""
    if each.parameter("VALUE").lower() != "text" and _URI.fullmatch(each.value.strip()):
        return ""
    types = meaning_of(each).types
    return next((field for field, word in RELATIONS.items() if word in types), "")


def anniversary_line(card: Component) -> Line | None:
    """The line with the wedding day."""
    for name in _ANNIVERSARIES:
        if (found := card.first(name)) is not None:
            return found
    return next((each for each in card.all(_APPLES_DATE) if label_of(each, card) == "anniversary"), None)


def ims_of(card: Component) -> list[tuple[Line, str]]:
    """The addresses of instant messaging, each once, with their lines."""
    found: dict[str, tuple[Line, str]] = {}
    for each in _im_lines(card):
        text = text_of(each).strip()
        if key := im_key(text):
            found.setdefault(key, (each, text))
    return list(found.values())


def _im_lines(card: Component) -> Iterator[Line]:
    for name in _IM_NAMES:
        yield from preferred(card.all(name))


_NO_PAGES = (None, None)


def pages_of(card: Component) -> tuple[Line | None, Line | None]:
    """The lines with the web page, and with the page at home."""
    lines: Sequence[Line] = preferred(card.all("URL"))
    if not lines:
        return _NO_PAGES
    at_home = next((each for each in lines if "HOME" in meaning_of(each).types), None)
    return next((each for each in lines if "HOME" not in meaning_of(each).types), None), at_home
