"""Applications and their tokens: the client credentials grant of the Microsoft identity platform.

``POST /{tenant}/oauth2/v2.0/token`` as https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow
describes it, with a secret or with a signed assertion (certificate credentials); errors with the AADSTS codes of the
real one.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from lab.exchange.records import Account

TOKEN_PATH = "/oauth2/v2.0/token"
_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
Answer = tuple[int, dict[str, Any]]


class BadApp(ValueError):
    """The JSON handed to ``/lab/apps`` does not describe an application; the message says which part."""


@dataclass(frozen=True)
class App:
    """A registered application; with ``expired`` its secret is too old."""

    app_id: str
    tenant: str
    secret: str
    certificate: str
    impersonates: frozenset[str]
    expired: bool


class _Refused(Exception):
    def __init__(self, status: int, error: str, code: int, text: str) -> None:
        super().__init__(text)
        self.answer: Answer = (
            status,
            {"error": error, "error_description": f"AADSTS{code}: {text}", "error_codes": [code]},
        )


class Directory:
    """The applications, and the tokens that were given out. They end with the process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._apps: dict[str, App] = {}
        self._tokens: dict[str, tuple[str, float]] = {}
        self._used: set[str] = set()
        self._seconds = 3600.0

    # controls

    def register(self, data: Mapping[str, Any]) -> None:
        """Add or replace an application. Raises BadApp."""
        allowed = data.get("impersonates", [])
        if not isinstance(data.get("app_id"), str) or not isinstance(data.get("tenant"), str):
            raise BadApp("app_id and tenant must be texts")
        if allowed != "*" and not isinstance(allowed, list):
            raise BadApp('impersonates: a list of addresses, or "*"')
        app = App(
            data["app_id"],
            data["tenant"],
            str(data.get("secret", "")),
            str(data.get("certificate", "")),
            frozenset(["*"] if allowed == "*" else [str(name).lower() for name in allowed]),
            bool(data.get("expired", False)),
        )
        with self._lock:
            self._apps[app.app_id] = app

    def revoke(self, seconds: float) -> None:
        """End all tokens that were given out; new ones live for ``seconds``."""
        with self._lock:
            self._tokens.clear()
            self._seconds = seconds

    def reset(self) -> None:
        """Forget everything."""
        self.revoke(3600.0)
        with self._lock:
            self._apps.clear()

    # requests

    def account(self, token: str) -> Account | None:
        """Whose token it is, while it lives."""
        with self._lock:
            app_id, until = self._tokens.get(token, ("", 0.0))
            app = self._apps.get(app_id)
        return Account(app.app_id, "", None, app.impersonates) if app and until > time.time() else None

    def token(self, url: str, tenant: str, body: bytes) -> Answer:
        """Answer a request for a token at ``url``."""
        form = {name: values[-1] for name, values in parse_qs(body.decode(errors="replace")).items()}
        try:
            app = self._app(tenant, form)
            self._check_proof(app, url, form)
        except _Refused as refused:
            return refused.answer
        token = secrets.token_urlsafe(32)
        with self._lock:
            self._tokens[token] = (app.app_id, time.time() + self._seconds)
            lives = int(self._seconds)
        return 200, {"token_type": "Bearer", "expires_in": lives, "ext_expires_in": lives, "access_token": token}

    def _app(self, tenant: str, form: Mapping[str, str]) -> App:
        if form.get("grant_type") != "client_credentials":
            raise _Refused(400, "unsupported_grant_type", 70003, "The app requested an unsupported grant type.")
        if not form.get("scope", "").endswith("/.default"):
            raise _Refused(400, "invalid_scope", 1002012, "The provided value for scope is not valid.")
        with self._lock:
            if tenant not in {app.tenant for app in self._apps.values()}:
                raise _Refused(400, "invalid_request", 90002, f"Tenant '{tenant}' not found.")
            app = self._apps.get(form.get("client_id", ""))
        if app is None or app.tenant != tenant:
            raise _Refused(400, "unauthorized_client", 700016, "Application was not found in the directory.")
        return app

    def _check_proof(self, app: App, url: str, form: Mapping[str, str]) -> None:
        if form.get("client_assertion_type") == _ASSERTION:
            self._check_assertion(app, url, form.get("client_assertion", ""))
        elif not app.secret or not hmac.compare_digest(app.secret.encode(), form.get("client_secret", "").encode()):
            raise _Refused(401, "invalid_client", 7000215, "Invalid client secret provided.")
        elif app.expired:
            raise _Refused(401, "invalid_client", 7000222, "The provided client secret keys are expired.")

    def _check_assertion(self, app: App, url: str, assertion: str) -> None:
        wrong = _Refused(401, "invalid_client", 700027, "Client assertion failed signature validation.")
        if not app.certificate:
            raise wrong
        try:
            head, claims = _verified(assertion, x509.load_pem_x509_certificate(app.certificate.encode()))
        except (ValueError, InvalidSignature, KeyError, TypeError) as error:
            raise wrong from error
        now = time.time()
        meant = claims.get("aud") == url and claims.get("iss") == claims.get("sub") == app.app_id
        timely = claims.get("nbf", now) <= now < claims.get("exp", 0) <= now + 86400
        with self._lock:
            fresh = claims.get("jti") not in self._used
            self._used.add(str(claims.get("jti")))
        if not (meant and timely and fresh and head.get("typ") == "JWT"):
            raise _Refused(401, "invalid_client", 700024, "Client assertion is not within its valid time range.")


def _verified(assertion: str, certificate: x509.Certificate) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims of a JWT (RFC 7519) that the certificate's key has signed. Raises ValueError and others."""
    signed, _, signature = assertion.rpartition(".")
    head, claims = (json.loads(_decoded(part)) for part in signed.split("."))
    digest = hashlib.sha256(certificate.public_bytes(Encoding.DER)).digest()
    if head["x5t#S256"] != base64.urlsafe_b64encode(digest).rstrip(b"=").decode() or head["alg"] != "PS256":
        raise ValueError("not signed with this certificate")
    key = certificate.public_key()
    if not isinstance(key, rsa.RSAPublicKey):
        raise ValueError("no RSA key")
    key.verify(_decoded(signature), signed.encode(), padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
    return head, claims


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
