"""The WSGI application: routing, logins, maintenance mode, cookies, compression, faults, the record of traffic."""

from __future__ import annotations

import gzip
import logging
import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from lab.faults import Fault, FaultPlan, cut_connection, send_truncated, wait_out
from lab.meter import Meter
from lab.nextcloud import consent, flows, ocs
from lab.nextcloud.accounts import Doorkeeper, login_name
from lab.nextcloud.control import Control, ensure_admin
from lab.nextcloud.methods import Methods
from lab.nextcloud.store import Store
from lab.nextcloud.traffic import Traffic
from lab.nextcloud.wire import DAV_ROOT, Answer, Refusal, Request, json_answer
from lab.pace import Pace

log = logging.getLogger(__name__)

MAX_BODY = 64 * 1024 * 1024
MIN_COMPRESSED = 512
VERSION = "32.0.1"
REDIRECTED = ("/.well-known/caldav", "/.well-known/carddav")
SESSION_COOKIE = "oclabinstance"

StartResponse = Callable[[str, list[tuple[str, str]]], Any]
Application = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]


def create_app(data: Path) -> Application:
    """A lab Nextcloud that keeps its data in this SQLite file."""
    return Server(Store(data))


class Server:
    """One lab Nextcloud."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._faults = FaultPlan()
        self._traffic = Traffic()
        self._doorkeeper = Doorkeeper()
        self._meter = Meter()
        self._pace = Pace()
        self._control = Control(store, self._faults, self._traffic, self._doorkeeper, self._meter, self._pace)
        with store.transaction():
            ensure_admin(store)

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Serve one WSGI request."""
        request = _read(environ)
        if request.path == "/lab" or request.path.startswith("/lab/"):
            with self._store.transaction():
                return _send(request, self._control.answer(request), start_response)
        self._meter.count()
        started = time.monotonic()
        login = login_name(request)
        client = environ.get("HTTP_USER_AGENT", "")
        fault = self._faults.strike(request.method, [login] if login else [], request.path, client)
        if fault is not None:
            wait_out(fault)
        answer = self._faulty(fault) if fault else None
        if answer is None:
            with self._pace.work(request.method):
                answer = self._dress(request, self._answer(request))
        self._traffic.record(request, answer, login, started)
        if fault and fault.drop:
            cut_connection(environ)
        if fault and fault.truncate is not None:
            send_truncated(environ, _head(answer), answer.body, fault.truncate)
        return _send(request, answer, start_response)

    @staticmethod
    def _faulty(fault: Fault) -> Answer | None:
        """What is answered instead of doing the work, if the fault is of that kind."""
        if fault.status is not None:
            return Answer(fault.status, fault.body.encode(), dict(fault.headers))
        return Answer(502) if fault.drop == "before" else None

    def _answer(self, request: Request) -> Answer:
        try:
            with self._store.transaction():
                return self._route(request)
        except Refusal as refusal:
            answer = refusal.answer()
            if refusal.status == 401:
                answer.headers["WWW-Authenticate"] = 'Basic realm="Nextcloud", charset="UTF-8"'
            return answer
        except Exception:
            # As PHP does: whatever goes wrong inside ends as a 500, and the process lives on.
            log.exception("the lab Nextcloud failed at %s %s", request.method, request.path)
            return Refusal(500, "Exception", "Internal Server Error").answer()

    def _route(self, request: Request) -> Answer:
        maintenance = self._store.setting("maintenance", "") == "on"
        if request.path == "/status.php":
            return _status(maintenance)
        if maintenance:
            refusal = Refusal(503, "Sabre\\DAV\\Exception\\ServiceUnavailable", "System is in maintenance mode.")
            answer = refusal.answer()
            return replace(
                answer, headers={**answer.headers, "X-Nextcloud-Maintenance-Mode": "1", "Retry-After": "120"}
            )
        if request.path.rstrip("/") in REDIRECTED:
            return Answer(301, headers={"Location": f"{DAV_ROOT}/"})
        if request.path == DAV_ROOT or request.path.startswith(f"{DAV_ROOT}/"):
            account = self._doorkeeper.admit(self._store, request)
            return Methods(self._store, account).answer(request)
        if request.path.startswith(f"{consent.PREFIX}/"):
            account = self._doorkeeper.admit(self._store, request)
            return consent.answer(self._store, account, request)
        if flows.serves(request.path):
            return flows.answer(self._store, request)
        if request.path.startswith(f"{ocs.ROOT}/"):
            return self._ocs(request)
        return Answer(404, b"File not found")

    def _ocs(self, request: Request) -> Answer:
        if ocs.without_header(request):
            return json_answer({"message": "CSRF check failed"}, 412)
        try:
            account = self._doorkeeper.admit(self._store, request)
        except Refusal as refusal:
            # This API knows no disabled accounts: they are not logged in.
            return ocs.failed(429 if refusal.status == 429 else 401, 997, "Current user is not logged in")
        return ocs.answer(self._store, account, request)

    def _dress(self, request: Request, answer: Answer) -> Answer:
        """Add what goes around every answer: cookies, compression."""
        headers = {"X-Content-Type-Options": "nosniff", **answer.headers}
        if SESSION_COOKIE not in request.header("cookie"):
            headers["Set-Cookie"] = f"{SESSION_COOKIE}={secrets.token_hex(13)}; path=/; HttpOnly; SameSite=Lax"
        dressed = replace(answer, headers=headers)
        mode = self._store.setting("compression", "off")
        accepted = "gzip" in request.header("accept-encoding")
        if mode != "off" and accepted and len(answer.body) >= MIN_COMPRESSED and request.method != "HEAD":
            dressed.body = gzip.compress(answer.body)
            headers["Content-Encoding"] = "gzip"
            headers["Vary"] = "Accept-Encoding"
            if "ETag" in headers:
                etag = headers["ETag"]
                headers["ETag"] = f"W/{etag}" if mode == "weak" else f'{etag[:-1]}-gzip"'
        return dressed


def _status(maintenance: bool) -> Answer:
    return json_answer(
        {
            "installed": True,
            "maintenance": maintenance,
            "needsDbUpgrade": False,
            "version": f"{VERSION}.2",
            "versionstring": VERSION,
            "edition": "",
            "productname": "Nextcloud",
            "extendedSupport": False,
        }
    )


def _read(environ: dict[str, Any]) -> Request:
    headers = {
        name.removeprefix("HTTP_").replace("_", "-").lower(): value
        for name, value in environ.items()
        if name.startswith("HTTP_") or name in ("CONTENT_TYPE", "CONTENT_LENGTH")
    }
    return Request(
        method=environ["REQUEST_METHOD"],
        path=environ["PATH_INFO"].encode("latin-1").decode("utf-8", "replace"),
        query=dict(parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True)),
        headers=headers,
        body=environ["wsgi.input"].read(MAX_BODY),
        address=environ.get("REMOTE_ADDR", ""),
    )


def _status_line(status: int) -> str:
    return f"{status} {HTTPStatus(status).phrase}"


def _length(answer: Answer) -> list[tuple[str, str]]:
    return [] if answer.status in (204, 304) else [("Content-Length", str(len(answer.body)))]


def _send(request: Request, answer: Answer, start_response: StartResponse) -> Iterable[bytes]:
    start_response(_status_line(answer.status), [*answer.headers.items(), *_length(answer)])
    return [] if request.method == "HEAD" else [answer.body]


def _head(answer: Answer) -> bytes:
    lines = [f"HTTP/1.1 {_status_line(answer.status)}"]
    lines += [f"{name}: {value}" for name, value in [*answer.headers.items(), *_length(answer)]]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
