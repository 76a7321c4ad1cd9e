"""Autodiscover V2: where the EWS of a mailbox is, in JSON and without a login.

``GET /autodiscover/autodiscover.json/v1.0/{address}?Protocol=EWS``; Exchange 2016 CU3 and later, and Exchange Online.
A mailbox that lives elsewhere is answered with a redirect, or with the other server's address.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

PATH = "/autodiscover/autodiscover.json"


class Autodiscover:
    """What this server tells; an address or its domain may be told to live elsewhere. It ends with the process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._redirects: dict[str, str] = {}
        self._urls: dict[str, str] = {}

    def set_json(self, data: Mapping[str, Any]) -> None:
        """``redirects`` and ``urls``, by address or domain."""
        with self._lock:
            self._redirects = {str(name).lower(): str(url) for name, url in data.get("redirects", {}).items()}
            self._urls = {str(name).lower(): str(url) for name, url in data.get("urls", {}).items()}

    def answer(self, path: str, query: str, own: str, known: bool) -> tuple[int, dict[str, Any], list[tuple[str, str]]]:
        """Status, JSON and headers; ``own`` is this server's EWS, ``known`` whether it has the mailbox."""
        asked = parse_qs(query)
        protocol = asked.get("Protocol", [""])[0]
        address = address_in(path, query)
        names = (address, address.rpartition("@")[2])
        with self._lock:
            redirect = next((self._redirects[name] for name in names if name in self._redirects), None)
            url = next((self._urls[name] for name in names if name in self._urls), own if known else None)
        if protocol.lower() != "ews":
            return 400, {"ErrorCode": "InvalidProtocol", "ErrorMessage": "The given protocol is invalid."}, []
        if redirect:
            return 302, {}, [("Location", redirect)]
        if url is None:
            return 404, {"ErrorCode": "UserNotFound", "ErrorMessage": "The given user is not found."}, []
        return 200, {"Protocol": "EWS", "Url": url}, []


def address_in(path: str, query: str) -> str:
    """The address that a request asks for, in small letters."""
    last = path.rpartition("/")[2]
    return (last if "@" in last else parse_qs(query).get("Email", [""])[0]).lower()
