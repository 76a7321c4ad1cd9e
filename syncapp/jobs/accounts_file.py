"""The service accounts file: what admins write there, read carefully; every mistake is a sentence."""

from __future__ import annotations

import json
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.conf import settings

from syncapp.models import ServiceAccount

_BASIC, _OAUTH = ServiceAccount.AuthType.BASIC, ServiceAccount.AuthType.OAUTH

KEYS = frozenset(
    {
        *("Username", "Password"),
        *("AppId", "ClientSecret", "Certificate", "TenantId", "Authority"),
        *("Name", "AuthType", "Endpoint", "Domains", "Fingerprint", "MaxConnections"),
    }
)
"""What an entry may hold; docs/service-accounts.md says what each of them means."""

_DEFAULT_AUTHORITY = "https://login.microsoftonline.com"
_MOST_BYTES = 1_000_000
_FORMS = '[{"Username": "...", "Password": "..."}] or [{"AppId": "...", "ClientSecret": "..."}]'


class WrongFile(Exception):
    """The service accounts file can't be used. ``str()`` is a sentence for the admin."""


@dataclass(frozen=True)
class Listed:
    """One entry of the file; see ``ServiceAccount`` for the meaning of each value."""

    name: str
    endpoint: str
    auth_type: str
    username: str
    password: str
    certificate: str
    tenant: str
    authority: str
    fingerprint: str
    domains: str
    max_connections: int


def read_file(path: Path) -> list[Listed]:
    """The accounts in the file; none when there is no file. Raises ``WrongFile``."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise WrongFile(f"{path.name} is too large to be a list of service accounts.")
        entries = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise WrongFile(f"{path.name} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise WrongFile(f"{path.name} is not valid JSON{_place_of(error)}.") from error
    if not isinstance(entries, list):
        raise WrongFile(f"{path.name} must hold a list: {_FORMS}.")
    found = [_Entry(path, number, entry).read() for number, entry in enumerate(entries, start=1)]
    names = [account.name for account in found]
    for name in names:
        if names.count(name) > 1:
            raise WrongFile(f'{path.name} names the account "{name}" more than once; give each a Name of its own.')
    return found


def others_may_read(path: Path) -> bool:
    """Whether somebody besides the file's owner can read the passwords in it."""
    return path.exists() and bool(path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH))


def _place_of(error: ValueError) -> str:
    return f" (line {error.lineno})" if isinstance(error, json.JSONDecodeError) else ""


class _Entry:
    """One entry, and where it stands."""

    def __init__(self, file: Path, number: int, entry: Any) -> None:
        self._file = file
        self._place = f"Entry {number} of {file.name}"
        if not isinstance(entry, dict):
            raise WrongFile(f"{self._place} is not an object in curly brackets.")
        if unknown := sorted(set(entry) - set(KEYS)):
            raise self._wrong(f'has a key "{unknown[0]}" that means nothing here; known are {", ".join(sorted(KEYS))}')
        self._entry = entry

    def read(self) -> Listed:
        """Raises ``WrongFile``."""
        auth_type = self._auth_type()
        certificate = self._certificate()
        who, proof = ("AppId", "ClientSecret") if auth_type == _OAUTH else ("Username", "Password")
        username = self._needed(who)
        password = "" if certificate else self._needed(proof)
        domains = self._domains()
        return Listed(
            name=self._text("Name") or username,
            endpoint=self._endpoint(domains),
            auth_type=auth_type,
            username=username,
            password=password,
            certificate=certificate,
            tenant=self._tenant(domains) if auth_type == _OAUTH else "",
            authority=self._url("Authority", _DEFAULT_AUTHORITY) if auth_type == _OAUTH else "",
            fingerprint=self._fingerprint(),
            domains=",".join(domains),
            max_connections=self._connections(),
        )

    def _wrong(self, what: str) -> WrongFile:
        return WrongFile(f"{self._place} {what}.")

    def _text(self, key: str) -> str:
        value = self._entry.get(key, "")
        if not isinstance(value, str):
            raise self._wrong(f"has a {key} that is not a text in quotes")
        return value.strip() if key not in ("Password", "ClientSecret") else value

    def _needed(self, key: str) -> str:
        value = self._text(key)
        if not value:
            raise self._wrong(f"has no {key}")
        return value

    def _auth_type(self) -> str:
        application = any(key in self._entry for key in ("AppId", "ClientSecret", "Certificate"))
        if application and any(key in self._entry for key in ("Username", "Password")):
            raise self._wrong("has both an application (AppId, ClientSecret or Certificate) and a Username or Password")
        given = self._text("AuthType").lower() or (_OAUTH.value if application else _BASIC.value)
        if given not in ServiceAccount.AuthType.values:
            raise self._wrong(f"has an AuthType that is none of {', '.join(ServiceAccount.AuthType.values)}")
        if application and given != _OAUTH:
            raise self._wrong(f"has an AppId, which signs in with the AuthType oauth, not {given}")
        return given

    def _url(self, key: str, default: str) -> str:
        value = self._text(key) or default
        parts = urlsplit(value)
        if value and (parts.scheme not in {"http", "https"} or not parts.hostname):
            raise self._wrong(f"has an {key} that is not an address beginning with https://")
        if parts.username or parts.password:
            raise self._wrong(f"has an {key} that holds credentials")
        if parts.scheme == "http" and not settings.ALLOW_HTTP:
            raise self._wrong(f"has an {key} that begins with http://, which would send the password in clear")
        return value.rstrip("/")

    def _endpoint(self, domains: list[str]) -> str:
        endpoint = self._url("Endpoint", settings.EXCHANGE_URL)
        if not endpoint and not domains and not settings.MAILBOX_DOMAINS:
            raise self._wrong(
                "has no Endpoint, and EXCHANGE_URL in .env is empty, too. To have autodiscover find the servers, name "
                "the mail domains whose servers may be trusted: Domains here or MAILBOX_DOMAINS in .env"
            )
        return endpoint

    def _tenant(self, domains: list[str]) -> str:
        named = [*domains, *settings.MAILBOX_DOMAINS]
        # A directory answers to each of its domains, too.
        tenant = self._text("TenantId") or settings.TENANT_ID or next((each for each in named if "@" not in each), "")
        if not tenant:
            raise self._wrong("has no TenantId, and TENANT_ID in .env is empty, too")
        if not re.fullmatch(r"[A-Za-z0-9.-]+", tenant):
            raise self._wrong("has a TenantId that is neither the id of a directory nor a domain")
        return tenant

    def _domains(self) -> list[str]:
        given = self._entry.get("Domains", [])
        names = [given] if isinstance(given, str) else given
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise self._wrong('has Domains that are not a list: ["example.org", "example.com"]')
        domains = [name.strip().lower() for name in names]
        if wrong := [name for name in domains if not re.fullmatch(r"([^@,\s]+@)?[a-z0-9-]+(\.[a-z0-9-]+)*", name)]:
            raise self._wrong(f'has Domains with "{wrong[0]}", which is neither a mail domain nor an address')
        return domains

    def _fingerprint(self) -> str:
        given = self._text("Fingerprint")
        # As openssl prints it: sha256 Fingerprint=AB:CD:...
        digits = re.sub(r"^sha-?256|fingerprint|[\s:=]", "", given.lower())
        if given and not re.fullmatch("[0-9a-f]{64}", digits):
            raise self._wrong("has a Fingerprint that is no SHA-256 fingerprint (64 hexadecimal digits)")
        return digits

    def _connections(self) -> int:
        connections = self._entry.get("MaxConnections", 8)
        if isinstance(connections, bool) or not isinstance(connections, int) or not 1 <= connections <= 100:
            raise self._wrong("has a MaxConnections that is not a number from 1 to 100")
        return connections

    def _certificate(self) -> str:
        name = self._text("Certificate")
        if not name:
            return ""
        if "ClientSecret" in self._entry:
            raise self._wrong("has both a ClientSecret and a Certificate; one is enough")
        try:
            pem = (self._file.parent / name).read_text(encoding="ascii")
        except OSError as error:
            raise self._wrong(f"names a Certificate that cannot be read: {error.strerror}") from error
        except ValueError as error:
            raise self._wrong("names a Certificate that is no PEM file") from error
        try:
            key = serialization.load_pem_private_key(pem.encode(), None)
            certificate = x509.load_pem_x509_certificate(pem.encode())
        except (ValueError, TypeError) as error:
            raise self._wrong(
                "names a Certificate without both a certificate and its private key, which must not be encrypted"
            ) from error
        if not isinstance(key, rsa.RSAPrivateKey) or key.public_key() != certificate.public_key():
            raise self._wrong("names a Certificate whose private key is not its own, or no RSA key")
        return pem
