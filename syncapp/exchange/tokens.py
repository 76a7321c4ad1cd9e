"""Tokens of an application: the client credentials grant of the Microsoft identity platform (RFC 6749 section 4.4).

With a secret, or with a certificate that signs an assertion (RFC 7523; "certificate credentials" in Microsoft's words).
EWS and Graph differ in the scope alone.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from syncapp.side import LoginFailed, NoToken, SideError, Throttled

_SECONDS = 30.0
_MOST_BYTES = 1_000_000
_EARLY = 300.0
"""Seconds before its end at which a token is replaced, so that no request meets an end on its way."""
_ASSERTION_SECONDS = 300
_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

_REASONS: Mapping[int, str] = {
    7000215: "The directory does not accept the client secret of the application. (The secret's value is wanted, not "
    "its id.)",
    7000222: "The client secret of the application has expired.",
    700016: "The directory knows no application with this AppId.",
    90002: "There is no directory with this TenantId.",
    900023: "There is no directory with this TenantId.",
    700027: "The directory does not accept the certificate of the application: it is not the one that was uploaded "
    "there, or has expired.",
    700024: "The directory does not accept the certificate of the application: the clock of this machine is wrong.",
    7000112: "The application is disabled in the directory.",
    53003: "A conditional access policy of the directory keeps the application from signing in here.",
}
"""By AADSTS code (https://learn.microsoft.com/entra/identity-platform/reference-error-codes)."""


@dataclass(frozen=True)
class Application:
    """Which application asks for tokens, where, for what, and how it proves itself: by a secret or a certificate.

    ``certificate`` is PEM with the private key. ``ca_file`` as in ``posting.Account``.
    """

    token_url: str
    client_id: str
    scope: str
    secret: str = field(repr=False, default="")
    certificate: str = field(repr=False, default="")
    ca_file: str | None = None


class Tokens:
    """The token of an application, asked for when there is none that lives long enough."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._lock = threading.Lock()
        self._token = ""
        self._until = 0.0

    def token(self) -> str:
        """A token for now. Raises ``LoginFailed``, ``Throttled`` and ``NoToken``."""
        with self._lock:
            if time.monotonic() >= self._until:
                self._token, lives = _ask(self._application)
                self._until = time.monotonic() + max(lives - _EARLY, lives / 2)
            return self._token

    def forget(self) -> None:
        """It is not accepted any more: the next one is a new one."""
        with self._lock:
            self._until = 0.0


def _ask(application: Application) -> tuple[str, float]:
    """A token, and how many seconds it lives."""
    form = {"grant_type": "client_credentials", "client_id": application.client_id, "scope": application.scope}
    if application.certificate:
        form |= {"client_assertion_type": _ASSERTION, "client_assertion": _assertion(application)}
    else:
        form["client_secret"] = application.secret
    status, headers, body = _post(application, form)
    try:
        answer = json.loads(body)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        answer = {}
    token, lives = answer.get("access_token"), answer.get("expires_in")
    if status == 200 and isinstance(token, str) and isinstance(lives, int | float):
        return token, float(lives)
    raise _refusal(status, headers, answer)


def _post(application: Application, form: Mapping[str, str]) -> tuple[int, Mapping[str, str], bytes]:
    try:
        with requests.post(
            application.token_url,
            data=form,
            timeout=_SECONDS,
            verify=application.ca_file or True,
            allow_redirects=False,
            stream=True,
        ) as answer:
            return answer.status_code, answer.headers, answer.raw.read(_MOST_BYTES, decode_content=True)
    except requests.exceptions.SSLError:
        raise NoToken("No secure connection to where tokens are given out: its certificate is not trusted.") from None
    except requests.Timeout:
        raise NoToken("Where tokens are given out, nobody answers in time.") from None
    except (requests.RequestException, OSError) as problem:
        raise NoToken(f"Where tokens are given out can't be reached ({type(problem).__name__}).") from None


def _refusal(status: int, headers: Mapping[str, str], answer: Mapping[str, Any]) -> SideError:
    """What it means that there is no token. Nothing of the answer is repeated but the number of its reason."""
    if status in (429, 503):
        wait = headers.get("Retry-After", "").strip()
        return Throttled(float(wait) if wait.isdigit() else None, account=True)
    codes = answer.get("error_codes")
    code = codes[0] if isinstance(codes, list) and codes and isinstance(codes[0], int) else 0
    if code in _REASONS:
        return LoginFailed(_REASONS[code])
    if status in (400, 401) and answer.get("error"):
        named = f" (AADSTS{code})" if code else ""
        return LoginFailed(f"The directory gives the application no token{named}.")
    return NoToken(f"Where tokens are given out, the answer is none (status {status}).")


def _assertion(application: Application) -> str:
    """A JWT that the application's key has signed.

    https://learn.microsoft.com/entra/identity-platform/certificate-credentials
    """
    pem = application.certificate.encode()
    certificate = x509.load_pem_x509_certificate(pem)
    key = serialization.load_pem_private_key(pem, None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise LoginFailed("The certificate of the application has no RSA key.")
    if certificate.not_valid_after_utc.timestamp() < time.time():
        raise LoginFailed("The certificate of the application has expired.")
    now = int(time.time())
    digest = hashlib.sha256(certificate.public_bytes(serialization.Encoding.DER)).digest()
    head = {"alg": "PS256", "typ": "JWT", "x5t#S256": _encoded(digest)}
    claims = {
        "aud": application.token_url,
        "iss": application.client_id,
        "sub": application.client_id,
        "jti": str(uuid.uuid4()),
        "nbf": now,
        "iat": now,
        "exp": now + _ASSERTION_SECONDS,
    }
    signed = ".".join(_encoded(json.dumps(part).encode()) for part in (head, claims))
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)
    return f"{signed}.{_encoded(key.sign(signed.encode(), pss, hashes.SHA256()))}"


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
