"""Requests, answers and refusals, as the rest of the lab Nextcloud sees them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from lxml import etree

DAV_ROOT = "/remote.php/dav"


class BadRequestBody(ValueError):
    """The body of a control request is not the JSON that was expected."""


@dataclass(frozen=True)
class Request:
    """One HTTP request; header names are in lower case, ``path`` is decoded, ``address`` is the client's IP."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    address: str

    def header(self, name: str, default: str = "") -> str:
        """A header's value, or the default."""
        return self.headers.get(name.lower(), default)

    @property
    def segments(self) -> list[str]:
        """The parts of the path below ``/remote.php/dav``."""
        return [part for part in self.path.removeprefix(DAV_ROOT).split("/") if part]

    def json(self) -> Any:
        """The body as JSON (an empty body is an empty object); raises BadRequestBody."""
        try:
            return json.loads(self.body or b"{}")
        except ValueError as error:
            raise BadRequestBody(f"the body is not JSON: {error}") from error

    def form(self) -> dict[str, str]:
        """The body as form fields or as a JSON object, as the consent app accepts both."""
        if "json" in self.header("content-type"):
            values = self.json()
            return {str(name): str(value) for name, value in values.items()} if isinstance(values, dict) else {}
        return dict(parse_qsl(self.body.decode("utf-8", "replace")))


@dataclass
class Answer:
    """One HTTP answer."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


def json_answer(value: object, status: int = 200) -> Answer:
    """An answer whose body is this value as JSON."""
    return Answer(status, json.dumps(value).encode(), {"Content-Type": "application/json; charset=utf-8"})


class Refusal(Exception):
    """A request ends with an error answer in sabre/dav's form.

    ``exception`` is the class name that sabre/dav shows; ``condition`` a WebDAV precondition element, as a Clark
    name, put in front of it.
    """

    def __init__(self, status: int, exception: str, message: str, condition: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.exception = exception
        self.message = message
        self.condition = condition

    def answer(self) -> Answer:
        """The error document (RFC 4918 section 16, with sabre/dav's two elements)."""
        sabre = "http://sabredav.org/ns"
        root = etree.Element("{DAV:}error", nsmap={"d": "DAV:", "s": sabre})
        if self.condition:
            etree.SubElement(root, self.condition)
        etree.SubElement(root, f"{{{sabre}}}exception").text = self.exception
        etree.SubElement(root, f"{{{sabre}}}message").text = self.message
        return Answer(self.status, etree.tostring(root, xml_declaration=True, encoding="utf-8"), dict(XML_HEADERS))


XML_HEADERS = {"Content-Type": "application/xml; charset=utf-8"}


def bad_request(message: str) -> Refusal:
    """400, as sabre/dav words it."""
    return Refusal(400, "Sabre\\DAV\\Exception\\BadRequest", message)


def forbidden(message: str) -> Refusal:
    """403, as sabre/dav words it."""
    return Refusal(403, "Sabre\\DAV\\Exception\\Forbidden", message)


def not_found(message: str) -> Refusal:
    """404, as sabre/dav words it."""
    return Refusal(404, "Sabre\\DAV\\Exception\\NotFound", message)


def not_allowed(message: str) -> Refusal:
    """405, as sabre/dav words it."""
    return Refusal(405, "Sabre\\DAV\\Exception\\MethodNotAllowed", message)


def precondition_failed(message: str) -> Refusal:
    """412, as sabre/dav words it."""
    return Refusal(412, "Sabre\\DAV\\Exception\\PreconditionFailed", message)


def unsupported(message: str) -> Refusal:
    """415, as sabre/dav words it."""
    return Refusal(415, "Sabre\\DAV\\Exception\\UnsupportedMediaType", message)


def broken(message: str = "An unexpected error occurred") -> Refusal:
    """500: what the real server answers where it stumbles over its own database or code."""
    return Refusal(500, "Doctrine\\DBAL\\Exception\\DriverException", message)


def href(*segments: str, collection: bool = False) -> str:
    """The address of a resource, encoded as sabre/dav does it: hex digits in lower case."""
    path = "/".join(_encode(segment) for segment in segments)
    return f"{DAV_ROOT}/{path}{'/' if collection and path else ''}"


def _encode(segment: str) -> str:
    encoded = quote(segment, safe="()~")
    parts = encoded.split("%")
    return parts[0] + "".join(f"%{part[:2].lower()}{part[2:]}" for part in parts[1:])


def segments_of(address: str) -> list[str] | None:
    """The DAV segments that an href or a Destination header names; None when it is not below the DAV root."""
    path = unquote(urlsplit(address).path)
    if not path.startswith(DAV_ROOT):
        return None
    return [part for part in path.removeprefix(DAV_ROOT).split("/") if part]
