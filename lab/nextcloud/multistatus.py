"""Multistatus answers (RFC 4918 section 13)."""

from __future__ import annotations

from lxml import etree

from lab.nextcloud.names import NAMESPACES, d
from lab.nextcloud.properties import Value
from lab.nextcloud.wire import XML_HEADERS, Answer

_REASONS = {
    200: "OK",
    403: "Forbidden",
    404: "Not Found",
    507: "Insufficient Storage",
}


class Multistatus:
    """Collects responses; ``minimal`` leaves out what a resource does not have (``Prefer: return=minimal``)."""

    def __init__(self, minimal: bool = False) -> None:
        self._root = etree.Element(d("multistatus"), nsmap=NAMESPACES)
        self._minimal = minimal

    def properties(self, address: str, found: dict[str, Value], missing: list[str]) -> None:
        """One resource with its properties."""
        response = self._response(address)
        if found or not missing:
            _propstat(response, 200, found)
        if missing and not (self._minimal and found):
            _propstat(response, 404, dict.fromkeys(missing, ""))

    def refused(self, address: str, names: list[str]) -> None:
        """One resource whose properties can't be set."""
        _propstat(self._response(address), 403, dict.fromkeys(names, ""))

    def status(self, address: str, code: int) -> None:
        """One resource with nothing but a status."""
        etree.SubElement(self._response(address), d("status")).text = f"HTTP/1.1 {code} {_REASONS[code]}"

    def answer(self, sync_token: str | None = None) -> Answer:
        """The finished answer."""
        if sync_token is not None:
            etree.SubElement(self._root, d("sync-token")).text = sync_token
        return Answer(207, etree.tostring(self._root, xml_declaration=True, encoding="utf-8"), dict(XML_HEADERS))

    def _response(self, address: str) -> etree._Element:
        response = etree.SubElement(self._root, d("response"))
        etree.SubElement(response, d("href")).text = address
        return response


def _propstat(response: etree._Element, code: int, properties: dict[str, Value]) -> None:
    propstat = etree.SubElement(response, d("propstat"))
    holder = etree.SubElement(propstat, d("prop"))
    for name, value in properties.items():
        made = etree.SubElement(holder, name)
        if isinstance(value, str):
            made.text = _printable(value) or None
        else:
            made.extend(value)
    etree.SubElement(propstat, d("status")).text = f"HTTP/1.1 {code} {_REASONS[code]}"


def _printable(text: str) -> str:
    """Text without the control characters that XML can't carry."""
    return "".join(character for character in text if character >= " " or character in "\t\n\r")
