"""SOAP envelopes of Exchange Web Services: reading requests, writing answers and faults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lxml import etree

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
TYPES = "http://schemas.microsoft.com/exchange/services/2006/types"
MESSAGES = "http://schemas.microsoft.com/exchange/services/2006/messages"
ERRORS = "http://schemas.microsoft.com/exchange/services/2006/errors"

S, T, M, E = f"{{{SOAP}}}", f"{{{TYPES}}}", f"{{{MESSAGES}}}", f"{{{ERRORS}}}"

Element = etree._Element

# Exchange 2016 CU23: it announces a schema version that requests may not name (the schema in use stays 2016's).
SERVER_VERSION = {
    "MajorVersion": "15",
    "MinorVersion": "1",
    "MajorBuildNumber": "2507",
    "MinorBuildNumber": "6",
    "Version": "V2017_07_11",
}
KNOWN_VERSIONS = frozenset(
    [
        "Exchange2007",
        "Exchange2007_SP1",
        "Exchange2010",
        "Exchange2010_SP1",
        "Exchange2010_SP2",
        "Exchange2013",
        "Exchange2013_SP1",
        "Exchange2015",
        "Exchange2016",
    ]
)


@dataclass
class EwsError(Exception):
    """A refusal with its ResponseCode (MS-OXWSCDATA 2.2.5.24); ``values`` end up in MessageXml."""

    code: str
    text: str = ""
    values: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.code}: {self.text}"


class SoapFault(EwsError):
    """A refusal of the whole request, answered as a SOAP fault with HTTP status 500."""


def parse(body: bytes) -> Element:
    """The envelope of a request; raises SoapFault for what is no XML, without resolving any entity."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False, remove_comments=True)
    try:
        root = etree.fromstring(body, parser)
    except etree.XMLSyntaxError as error:
        raise SoapFault("ErrorInvalidRequest", f"The request is invalid: {error}") from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise SoapFault("ErrorInvalidRequest", "For security reasons DTD is prohibited in this XML document.")
    return root


def operation_of(envelope: Element) -> Element:
    """The one element in the SOAP body."""
    body = envelope.find(f"{S}Body")
    if body is None or len(body) != 1:
        raise SoapFault("ErrorInvalidRequest", "The request has no single operation in its body.")
    return body[0]


def local(element: Element) -> str:
    """An element's name without its namespace."""
    return str(etree.QName(element).localname)


def message(operation: str, error: EwsError | None = None) -> Element:
    """A response message of an operation: success, or the error (MS-OXWSCDATA 2.2.4.67)."""
    element = etree.Element(f"{M}{operation}ResponseMessage", ResponseClass="Error" if error else "Success")
    if error is None:
        etree.SubElement(element, f"{M}ResponseCode").text = "NoError"
        return element
    etree.SubElement(element, f"{M}MessageText").text = error.text or error.code
    etree.SubElement(element, f"{M}ResponseCode").text = error.code
    etree.SubElement(element, f"{M}DescriptiveLinkKey").text = "0"
    if error.values:
        _values(etree.SubElement(element, f"{M}MessageXml"), error.values)
    return element


def response(operation: str, messages: list[Element]) -> Element:
    """The response element of an operation around its response messages."""
    root = etree.Element(f"{M}{operation}Response", nsmap={"m": MESSAGES, "t": TYPES})
    etree.SubElement(root, f"{M}ResponseMessages").extend(messages)
    return root


def envelope(body: Element) -> bytes:
    """A complete answer around a response element."""
    root = etree.Element(f"{S}Envelope", nsmap={"s": SOAP})
    header = etree.SubElement(root, f"{S}Header")
    etree.SubElement(header, f"{T}ServerVersionInfo", SERVER_VERSION, nsmap={"h": TYPES})
    etree.SubElement(root, f"{S}Body").append(body)
    return etree.tostring(root, encoding="utf-8", xml_declaration=True)


def fault(error: EwsError) -> bytes:
    """A SOAP fault in the form that Exchange gives it: unqualified children, details in two namespaces."""
    root = etree.Element(f"{S}Envelope", nsmap={"s": SOAP})
    header = etree.SubElement(root, f"{S}Header")
    etree.SubElement(header, f"{T}ServerVersionInfo", SERVER_VERSION, nsmap={"h": TYPES})
    element = etree.SubElement(etree.SubElement(root, f"{S}Body"), f"{S}Fault")
    etree.SubElement(element, "faultcode", nsmap={"a": TYPES}).text = f"a:{error.code}"
    etree.SubElement(element, "faultstring").text = error.text or error.code
    detail = etree.SubElement(element, "detail")
    etree.SubElement(detail, f"{E}ResponseCode", nsmap={"e": ERRORS}).text = error.code
    etree.SubElement(detail, f"{E}Message", nsmap={"e": ERRORS}).text = error.text or error.code
    if error.values:
        _values(etree.SubElement(detail, f"{T}MessageXml", nsmap={"t": TYPES}), error.values)
    return etree.tostring(root, encoding="utf-8", xml_declaration=True)


def _values(parent: Element, values: Mapping[str, str]) -> None:
    for name, value in values.items():
        etree.SubElement(parent, f"{T}Value", Name=name).text = value
