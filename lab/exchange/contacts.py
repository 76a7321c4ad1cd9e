"""What Exchange makes of a contact's names (MS-OXWSCONT 2.2.4, MS-OXOCNTC 2.2.1.1)."""

# ruff: noqa: ARG005 - all mappings share one signature
from __future__ import annotations

from collections.abc import Callable
from typing import Any

Props = dict[str, Any]


def _join(separator: str, *parts: str | None) -> str:
    return separator.join(part for part in parts if part)


def full_name(props: Props) -> str:
    """The name in speaking order: given, middle, surname, generation."""
    names = ("GivenName", "MiddleName", "Surname", "Generation")
    return _join(" ", *(props.get(name) for name in names))


def _last_comma_first(props: Props) -> str:
    given = _join(" ", props.get("GivenName"), props.get("MiddleName"))
    return _join(" ", _join(", ", props.get("Surname"), given), props.get("Generation"))


def _company(props: Props) -> str:
    return str(props.get("CompanyName", ""))


def _last_first(props: Props) -> str:
    return _join(" ", props.get("Surname"), props.get("GivenName"), props.get("MiddleName"))


FILE_AS: dict[str, Callable[[Props], str]] = {
    "LastCommaFirst": _last_comma_first,
    "FirstSpaceLast": full_name,
    "Company": _company,
    "LastCommaFirstCompany": lambda props: _join("\r\n", _last_comma_first(props), _company(props)),
    "CompanyLastCommaFirst": lambda props: _join("\r\n", _company(props), _last_comma_first(props)),
    "CompanyLastFirst": lambda props: _join("\r\n", _company(props), _last_first(props)),
    "LastFirst": _last_first,
    "LastSpaceFirst": _last_first,
    "LastFirstCompany": lambda props: _join("\r\n", _last_first(props), _company(props)),
    "LastSpaceFirstCompany": lambda props: _join("\r\n", _last_first(props), _company(props)),
    "CompanyLastSpaceFirst": lambda props: _join("\r\n", _company(props), _last_first(props)),
    "LastFirstSuffix": lambda props: _join(" ", _last_first(props), props.get("Generation")),
    "LastFirstMiddleSuffix": lambda props: _join(" ", _last_first(props), props.get("Generation")),
    "DisplayName": lambda props: str(props.get("DisplayName", "")),
    "FirstName": lambda props: str(props.get("GivenName", "")),
    "LastName": lambda props: str(props.get("Surname", "")),
    "Empty": lambda props: "",
}

NAMES = frozenset({"GivenName", "MiddleName", "Surname", "Generation", "CompanyName"})


def settle(props: Props, changed: frozenset[str]) -> None:
    """Fill in what Exchange derives when a contact is saved; what the client set itself stays.

    ``changed`` are the fields of this request: a mapping keeps FileAs in step with the names, and FileAs,
    DisplayName and Subject are only made where there are none.
    """
    mapping = props.get("FileAsMapping", "None")
    if mapping in FILE_AS and "FileAs" not in changed and changed & (NAMES | {"FileAsMapping"}):
        props["FileAs"] = FILE_AS[mapping](props)
    if not props.get("FileAs"):
        props["FileAs"] = _last_comma_first(props) or _company(props)
    if not props.get("DisplayName"):
        props["DisplayName"] = full_name(props) or _company(props)
    if not props.get("Subject"):
        props["Subject"] = props["DisplayName"]
    for name in ("FileAs", "DisplayName", "Subject"):
        if not props[name]:
            del props[name]
