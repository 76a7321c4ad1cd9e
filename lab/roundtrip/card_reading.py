"""What a card in Nextcloud says, as vobject takes it apart into lines.

vobject's own view of a card fails it whole for one bad property and cuts web addresses at their first comma, so that
its lines, parameters and escapes are what is used of it. Which of several values Exchange has a place for is decided
here as a person would: the preferred first, then in their order.
"""

from __future__ import annotations

import base64
import binascii
import io
import logging
import quopri
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import vobject
from vobject.icalendar import stringToTextValues

from lab.roundtrip.kinds import MASTER, NotReadable, Reading
from lab.roundtrip.pictures import picture_text

logging.getLogger("vobject").setLevel(logging.CRITICAL)

Lines = Mapping[str, Sequence[Any]]

_ONE_TEXT = {
    "nickname": ("NICKNAME",),
    "job_title": ("TITLE",),
    "profession": ("ROLE",),
    "phonetic_given_name": ("X-PHONETIC-FIRST-NAME",),
    "phonetic_surname": ("X-PHONETIC-LAST-NAME",),
    "phonetic_company": ("X-PHONETIC-ORG",),
    "file_as": ("X-EVOLUTION-FILE-AS", "X-MS-FILE-AS", "X-FILE-AS"),
}
_RELATED = {
    "manager": ("X-MS-MANAGER", "X-EVOLUTION-MANAGER", "X-KADDRESSBOOK-X-MANAGERSNAME", "X-MANAGER"),
    "assistant": ("X-MS-ASSISTANT", "X-EVOLUTION-ASSISTANT", "X-KADDRESSBOOK-X-ASSISTANTSNAME", "X-ASSISTANT"),
    "spouse": ("X-MS-SPOUSE", "X-EVOLUTION-SPOUSE", "X-KADDRESSBOOK-X-SPOUSESNAME", "X-SPOUSE"),
    "children": ("X-MS-CHILD",),
}
_RELATED_LABELS = {"manager": "manager", "assistant": "assistant", "spouse": "spouse", "child": "children"}
_ANNIVERSARIES = (
    "ANNIVERSARY", "X-ANNIVERSARY", "X-MS-ANNIVERSARY", "X-EVOLUTION-ANNIVERSARY", "X-KADDRESSBOOK-X-ANNIVERSARY",
)  # fmt: skip
_IM_NAMES = (
    "IMPP", "X-MS-IMADDRESS", "X-AIM", "X-ICQ", "X-JABBER", "X-MSN", "X-YAHOO", "X-SKYPE", "X-SKYPE-USERNAME",
    "X-GOOGLE-TALK", "X-GTALK", "X-GADUGADU", "X-GROUPWISE", "X-QQ", "X-SIP",
)  # fmt: skip
_BOOKKEEPING = {
    "BEGIN",
    "END",
    "VERSION",
    "PRODID",
    "REV",
    "UID",
    "N",
    "FN",
    "ORG",
    "EMAIL",
    "TEL",
    "X-MS-TEL",
    "ADR",
    "LABEL",
} | {
    *("URL", "BDAY", "NOTE", "CATEGORIES", "PHOTO", "CLASS", "X-ABLABEL", "X-ABDATE", "X-ABRELATEDNAMES", "RELATED"),
    *("X-MS-CARDPICTURE", "KIND", "X-ADDRESSBOOKSERVER-KIND", "MEMBER", "X-ADDRESSBOOKSERVER-MEMBER", "PROFILE"),
    *(name for names in (*_ONE_TEXT.values(), *_RELATED.values(), _ANNIVERSARIES, _IM_NAMES) for name in names),
}
_PHONES = {
    "PAGER": "pager",
    **dict.fromkeys(("CELL", "MOBILE", "IPHONE"), "mobile"),
    "CAR": "car",
    "ISDN": "isdn",
    **dict.fromkeys(("TTY", "TTY-TDD", "TTYTTD", "TTYTDD", "TEXTPHONE"), "tty"),
    **{each.upper(): each for each in ("telex", "radio", "callback", "assistant", "company", "main", "work", "home")},
}
"""What a number is called, the most telling TYPE first."""
_ROOM = {"work": 2, "home": 2}
_EMAILS, _IMS = 3, 3
_FIRST_YEAR, _LAST_YEAR = 1602, 4499
"""MS-OXCDATA: PtypTime counts from 1601 on, and 4501 stands for no date."""
_LONGEST = 255
"""MS-OXPROPS strings that Outlook and Exchange keep in 255 characters."""
_LINES_OF_TEXT = frozenset(
    {"display_name", "surname", "given_name", "middle_name", "suffix", "nickname", "company", "department", "office"}
    | {"job_title", "profession", "manager", "assistant", "spouse", "file_as"}
)
_NAME_PARTS = ("surname", "given_name", "middle_name", "prefix", "suffix")
_PRIVACY = {"PUBLIC": "", "PRIVATE": "private", "CONFIDENTIAL": "confidential"}
_ESCAPED = '\\\\;,:Nn"'
_CUT = "\x1f"
_DATE = re.compile(r"(\d{4}|--)-?(\d\d)-?(\d\d)(?:[T ].*)?", re.ASCII)


def read_card(text: bytes) -> Reading:
    """What a card says. Raises NotReadable for one that vobject can't take apart."""
    lines = _lines(text)
    found: dict[str, str] = {}
    for part in (_names, _organisation, _texts, _dates, _emails, _phones, _addresses, _pages, _ims, _picture, _other):
        found.update(part(lines))
    for name in _LINES_OF_TEXT & found.keys():
        found[f"the rest of {name}"] = found[name][_LONGEST:].strip()
        found[name] = found[name][:_LONGEST].rstrip()
    return Reading({MASTER: {name: value for name, value in found.items() if value}})


def raw_lines(text: bytes) -> list[bytes]:
    """The lines of a card as they stand in it, each with what continues it."""
    return [each for each in _unfolded(text).split(b"\r\n") if each.strip()]


def _lines(data: bytes) -> Lines:
    """The lines of a card by their names. Bytes are put together before they become characters."""
    data = _unfolded(data)
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    found: defaultdict[str, list[Any]] = defaultdict(list)
    depth = 0
    for line, number in vobject.base.getLogicalLines(io.StringIO(text)):
        try:
            parsed = vobject.base.textLineToContentLine(_decodable(line), number)
        except (vobject.base.ParseError, LookupError, UnicodeError) as error:
            raise NotReadable(f"vobject can't read line {number}.") from error
        depth += parsed.name == "BEGIN"
        if depth == 1:
            found[parsed.name].append(parsed)
        depth -= parsed.name == "END"
    return found


def _decodable(line: str) -> str:
    """A line in QUOTED-PRINTABLE that is not in the set of characters that it names is in a Western one."""
    head, colon, value = line.partition(":")
    if "QUOTED-PRINTABLE" not in head.upper():
        return line
    charset = re.search(r"CHARSET=([^;:]+)", head, re.IGNORECASE)
    try:
        quopri.decodestring(value.encode()).decode(charset[1] if charset else "utf-8")
    except (LookupError, UnicodeError):
        return re.sub(r";CHARSET=[^;:]+", "", head, flags=re.IGNORECASE) + ";CHARSET=latin-1" + colon + value
    return line


def _unfolded(data: bytes) -> bytes:
    """Lines put together, except those in QUOTED-PRINTABLE, whose next line is no fold, and blank ones."""
    found: list[bytes] = []
    open_line = False
    for raw in data.splitlines():
        if open_line:
            found.append(raw)
        elif raw[:1] in (b" ", b"\t") and found and raw.strip():
            found[-1] += raw[1:]
        else:
            found.append(raw)
        head = found[-1].partition(b":")[0].upper()
        open_line = raw.endswith(b"=") and (open_line or b"QUOTED-PRINTABLE" in head)
    return b"\r\n".join(found) + b"\r\n"


# Values ----------------------------------------------------------------------------------------------------------


def _text(line: Any) -> str:
    return _plain(stringToTextValues(str(line.value), listSeparator="\0", charList=_ESCAPED)[0])


def _plain(text: str) -> str:
    """A text without regard to spaces, empty lines, and characters that XML has none for."""
    plain = re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]", " ", text.replace("\r\n", "\n"))
    return "\n".join(line for each in plain.split("\n") if (line := " ".join(each.split())))


def _flat(text: str) -> str:
    return " ".join(text.split())


def _first(lines: Lines, names: Sequence[str]) -> str:
    return next((text for name in names for line in lines[name] if (text := _text(line))), "")


def _split(text: str, separator: str) -> list[str]:
    """The parts of a structure; what is escaped does not part it."""
    return re.sub(rf"(\\.)|{separator}", lambda found: found[1] or _CUT, text, flags=re.DOTALL).split(_CUT)


def _parts(line: Any) -> list[str]:
    parts = _split(str(line.value), ";")
    return [_plain(", ".join(map(_unescaped, _split(part, ",")))) for part in parts]


def _unescaped(text: str) -> str:
    return str(stringToTextValues(text, listSeparator="\0", charList=_ESCAPED)[0]).strip()


def _types(line: Any) -> set[str]:
    words = [*line.params.get("TYPE", ()), *line.singletonparams]
    return {re.sub(r"^X-(EVOLUTION-)?", "", each.strip().upper()) for word in words for each in word.split(",")}


def _preferred(lines: Sequence[Any]) -> list[Any]:
    return sorted(lines, key=_preference)


def _preference(line: Any) -> int:
    stated = line.params.get("PREF", ["x"])[0]
    return int(stated) if stated.isdecimal() else 1 if "PREF" in _types(line) else 101


def _label(line: Any, lines: Lines) -> str:
    """What Apple's label says of a line: the words in a line of the same group."""
    if not line.group:
        return ""
    labels = [_text(each) for each in lines["X-ABLABEL"] if each.group == line.group]
    return re.sub(r"^_\$!<(.*)>!\$_$", r"\1", labels[0]).strip().casefold() if labels else ""


# Fields ----------------------------------------------------------------------------------------------------------


def _names(lines: Lines) -> Iterator[tuple[str, str]]:
    parts = [*(_parts(lines["N"][0]) if lines["N"] else ()), *[""] * 5][:5]
    named = dict(zip(_NAME_PARTS, map(_flat, parts), strict=True))
    yield from named.items()
    # What is shown of a card without FN is made of what there is; "?" stands where there is nothing.
    candidates = (
        _first(lines, ["FN"]),
        " ".join(filter(None, (named["given_name"], named["surname"]))),
        *(_parts(lines["ORG"][0]) if lines["ORG"] else ()),
        *(_first(lines, [each]) for each in ("NICKNAME", "EMAIL", "TEL")),
    )
    shown = next(filter(None, candidates), "?")
    yield "display_name", "" if shown == "?" else _flat(shown)


def _organisation(lines: Lines) -> Iterator[tuple[str, str]]:
    units = _parts(lines["ORG"][0]) if lines["ORG"] else []
    for name, value in zip(
        ("company", "department", "further units"), (*units[:2], "; ".join(units[2:])), strict=False
    ):
        yield name, _flat(value)


def _texts(lines: Lines) -> Iterator[tuple[str, str]]:
    for name, spellings in _ONE_TEXT.items():
        yield name, _flat(_first(lines, spellings))
    related: dict[str, list[str]] = defaultdict(list)
    for name, spellings in _RELATED.items():
        related[name] += [_flat(_text(line)) for spelling in spellings for line in lines[spelling]]
    for line in lines["X-ABRELATEDNAMES"]:
        related[_RELATED_LABELS.get(_label(line, lines), "other relations")].append(_flat(_text(line)))
    for line in lines["RELATED"]:
        types = {each.lower() for each in _types(line)}
        name = next((field for word, field in _RELATED_LABELS.items() if word in types), "other relations")
        is_text = "text" in [each.lower() for each in line.params.get("VALUE", ())]
        is_text = is_text or not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*:\S+", str(line.value).strip())
        related[name if is_text else "other relations"].append(_flat(_text(line)))
    for name, values in related.items():
        if name in ("children", "other relations"):
            yield name, "\n".join(sorted({each for each in values if each}))
        else:
            yield name, next(filter(None, values), "")
    yield "notes", _plain("\n".join(map(_text, lines["NOTE"][:1])))
    yield "further notes", _plain("\n".join(map(_text, lines["NOTE"][1:])))
    words = (_unescaped(each) for line in lines["CATEGORIES"] for each in _split(str(line.value), ","))
    yield "categories", "\n".join(sorted({_flat(each).casefold() for each in words} - {""}))
    yield "privacy", _PRIVACY.get(_first(lines, ["CLASS"]).upper() or "PUBLIC", "private")


def _dates(lines: Lines) -> Iterator[tuple[str, str]]:
    yield from _date("birthday", lines["BDAY"])
    anniversaries = [line for name in _ANNIVERSARIES for line in lines[name]]
    anniversaries += [line for line in lines["X-ABDATE"] if _label(line, lines) == "anniversary"]
    yield from _date("anniversary", anniversaries)
    others = [line for line in lines["X-ABDATE"] if _label(line, lines) != "anniversary"]
    yield "other dates", "\n".join(sorted(map(_text, others)))


def _date(name: str, lines: Sequence[Any]) -> Iterator[tuple[str, str]]:
    for line in lines[:1]:
        found = _DATE.fullmatch(str(line.value).strip())
        if found is None:
            yield f"{name} in words", _text(line)
            continue
        year, month, day = found.groups()
        if year.isdecimal() and not _FIRST_YEAR <= int(year) <= _LAST_YEAR:
            name += " beyond Exchange's years"
        if year in ("--", "1604", *line.params.get("X-APPLE-OMIT-YEAR", ())):
            year = "any year"
        yield name, f"{year} {month} {day}"


def _emails(lines: Lines) -> Iterator[tuple[str, str]]:
    said = [(_text(line), line) for line in _preferred(lines["EMAIL"])]
    addresses = list(dict.fromkeys(text.casefold().removeprefix("mailto:") for text, _ in said if "@" in text))
    yield "emails", "\n".join(sorted(addresses[:_EMAILS]))
    yield "further e-mails", "\n".join(sorted(addresses[_EMAILS:]))
    yield "no e-mail address", "\n".join(sorted(text for text, _ in said if text and "@" not in text))


def _phones(lines: Lines) -> Iterator[tuple[str, str]]:
    taken: dict[str, list[str]] = defaultdict(list)
    further = []
    for line in _preferred([*lines["TEL"], *lines["X-MS-TEL"]]):
        number = re.sub(r"[\s().\-/‐-―]", "", _text(line)).casefold().removeprefix("tel:")
        slot = _slot(line)
        if not number or number in taken[slot]:
            continue
        if len(taken[slot]) < _ROOM.get(slot, 1):
            taken[slot].append(number)
        else:
            further.append(f"{slot} {number}")
    yield "phones", "\n".join(sorted(f"{slot} {each}" for slot, numbers in taken.items() for each in numbers))
    yield "further phones", "\n".join(sorted(further))


def _slot(line: Any) -> str:
    types = _types(line)
    if "FAX" in types:
        return "work fax" if "WORK" in types else "home fax" if "HOME" in types else "other fax"
    return next((slot for word, slot in _PHONES.items() if word in types), "other")


def _addresses(lines: Lines) -> Iterator[tuple[str, str]]:
    seen: set[str] = set()
    further = []
    for line in _preferred(lines["ADR"]):
        parts = [*_parts(line), *[""] * 7][:7]
        types = _types(line)
        place = "work" if "WORK" in types else "home" if "HOME" in types else "other"
        if not any(parts):
            continue
        if place in seen:
            further.append(" | ".join(parts))
            continue
        seen.add(place)
        yield f"{place} address", " | ".join(map(_flat, parts[2:])) if any(parts[2:]) else ""
        yield f"post box of {place}", _flat(parts[0])
        yield ("office" if place == "work" else f"extended {place} address"), _flat(parts[1])
    yield "further addresses", "\n".join(sorted(further))


def _pages(lines: Lines) -> Iterator[tuple[str, str]]:
    pages: dict[str, list[str]] = {"web_page": [], "personal_page": []}
    for line in _preferred(lines["URL"]):
        if page := _flat(_text(line)):
            pages["personal_page" if "HOME" in _types(line) else "web_page"].append(page)
    for name, some in pages.items():
        yield name, next(iter(some), "")
    yield "further pages", "\n".join(sorted(page for some in pages.values() for page in some[1:]))


def _ims(lines: Lines) -> Iterator[tuple[str, str]]:
    said = [_flat(_text(line)) for name in _IM_NAMES for line in _preferred(lines[name])]
    handles = list(dict.fromkeys(handle for each in said if (handle := _handle(each))))
    yield "instant messaging", "\n".join(sorted(handles[:_IMS]))
    yield "further instant messaging", "\n".join(sorted(handles[_IMS:]))


def _handle(text: str) -> str:
    """An address of instant messaging without its scheme, which Exchange has no place for."""
    return re.sub(r"^[a-z][a-z0-9+.-]*:(//)?", "", text.casefold())


def _picture(lines: Lines) -> Iterator[tuple[str, str]]:
    for line in lines["PHOTO"]:
        value = str(line.value).strip()
        said = {each.upper() for each in (*line.params.get("ENCODING", ()), *line.singletonparams, *_types(line))}
        if value[:5].lower() == "data:":
            value = value.partition(",")[2]
        elif not said & {"B", "BASE64"}:
            yield "photo on the net", value
            continue
        try:
            data = base64.b64decode("".join(value.replace("\\", "").split()), validate=True)
        except (binascii.Error, ValueError):
            yield "broken photo", "yes"
            continue
        shown = picture_text(data) if data else ""
        yield ("broken photo" if shown.startswith("broken") else "photo"), shown
        return


def _other(lines: Lines) -> Iterator[tuple[str, str]]:
    for name, some in lines.items():
        if name not in _BOOKKEEPING:
            yield f"other {name}", "\n".join(sorted(str(line.value) for line in some))
