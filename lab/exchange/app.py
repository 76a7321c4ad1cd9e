"""The WSGI app: EWS at ``/EWS/Exchange.asmx``, the lab's own controls under ``/lab/``."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

from lab.exchange import autodiscover, oauth, soap
from lab.exchange.access import Access, Refusal
from lab.exchange.call import open_call
from lab.exchange.control import Controls
from lab.exchange.operations import OPERATIONS
from lab.exchange.operations.messages import failure
from lab.exchange.records import Account
from lab.exchange.soap import Element, EwsError, SoapFault, local
from lab.exchange.store import Store
from lab.exchange.traffic import Exchanged, Traffic
from lab.faults import Fault, FaultPlan, cut_connection, send_truncated, wait_out
from lab.meter import Meter
from lab.pace import Pace

ENDPOINT = "/ews/exchange.asmx"
MAX_REQUEST_BYTES = 64 * 1024 * 1024
_XML = "text/xml; charset=utf-8"

Environ = dict[str, Any]
StartResponse = Callable[[str, list[tuple[str, str]]], Any]


@dataclass
class Answer:
    """An HTTP answer."""

    status: int
    body: bytes = b""
    content_type: str = _XML
    headers: list[tuple[str, str]] = field(default_factory=list)

    @property
    def line(self) -> str:
        """The status line."""
        return f"{self.status} {HTTPStatus(self.status).phrase}"

    def all_headers(self) -> list[tuple[str, str]]:
        """The headers with those that follow from the body."""
        return [
            *self.headers,
            ("Content-Type", self.content_type),
            ("Content-Length", str(len(self.body))),
        ]


class App:
    """The lab Exchange over one store."""

    def __init__(self, path: Path) -> None:
        self.store = Store(path)
        self.faults = FaultPlan()
        self.traffic = Traffic()
        self.pace = Pace()
        self._meter = Meter()
        self._directory = oauth.Directory()
        self._access = Access(self.store, self._directory, path.parent)
        self._autodiscover = autodiscover.Autodiscover()
        self._controls = Controls(
            self.store,
            self.faults,
            self.traffic,
            self._meter,
            self.pace,
            self._access,
            self._directory,
            self._autodiscover,
        )

    def __call__(self, environ: Environ, start: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        body = _body(environ)
        if path.startswith("/lab/"):
            status, value = self._controls.handle(environ["REQUEST_METHOD"], path, environ, body)
            answer = Answer(status, json.dumps(value, ensure_ascii=False).encode(), "application/json")
        else:
            self._meter.count()
            answer = self._serve(environ, path, body)
        start(answer.line, answer.all_headers())
        return [answer.body]

    def _serve(self, environ: Environ, path: str, body: bytes | None) -> Answer:
        noted = Exchanged(path=path, request_headers=_headers(environ))
        answer, fault = self._answer(environ, path, body, noted)
        if self.traffic.recording:
            noted.status = answer.status
            noted.request = (body or b"").decode("utf-8", errors="replace")
            noted.response = answer.body.decode("utf-8", errors="replace")
            self.traffic.add(noted)
        if fault is not None and fault.drop is not None:
            cut_connection(environ)
        elif fault is not None and fault.truncate is not None:
            head = "".join(f"{name}: {value}\r\n" for name, value in answer.all_headers())
            send_truncated(environ, f"HTTP/1.1 {answer.line}\r\n{head}\r\n".encode(), answer.body, fault.truncate)
        return answer

    def _answer(self, environ: Environ, path: str, body: bytes | None, noted: Exchanged) -> tuple[Answer, Fault | None]:
        if path.lower().startswith(autodiscover.PATH) or path.endswith(oauth.TOKEN_PATH):
            return self._open_to_all(environ, path, body or b"", noted)
        account = self._access.account(environ)
        if isinstance(account, Refusal):
            return Answer(401, headers=list(account.headers)), None
        noted.user = account.name
        if path.lower() != ENDPOINT:
            return Answer(404), None
        if environ["REQUEST_METHOD"] != "POST":
            # A browser or a prober that got past the login is shown the service's page.
            return Answer(200, b"<html><body>Service</body></html>", "text/html"), None
        if body is None:
            return Answer(413), None
        try:
            envelope = soap.parse(body)
            operation = soap.operation_of(envelope)
        except SoapFault as error:
            return Answer(500, soap.fault(error)), None
        noted.operation, noted.mailbox = local(operation), _mailbox_named(envelope, environ)
        client = environ.get("HTTP_USER_AGENT", "")
        fault = self.faults.strike(noted.operation, [noted.mailbox, account.name], path, client)
        if fault is not None:
            wait_out(fault)
            struck = _struck(fault, operation)
            if struck is not None:
                return struck, fault
        try:
            with self._access.at_work(account), self.pace.work(noted.operation, lambda: _count(operation)):
                return self._operate(account, envelope, operation), fault
        except SoapFault as error:
            return Answer(500, soap.fault(error)), fault

    def _open_to_all(self, environ: Environ, path: str, body: bytes, noted: Exchanged) -> tuple[Answer, Fault | None]:
        """What needs no login: autodiscover, and the endpoint that gives out tokens."""
        here = f"{environ['wsgi.url_scheme']}://{environ['HTTP_HOST']}"
        noted.operation = "Autodiscover" if path.lower().startswith(autodiscover.PATH) else "Token"
        fault = self.faults.strike(noted.operation, [], path)
        if fault is not None:
            wait_out(fault)
            if fault.status is not None:
                return Answer(fault.status, fault.body.encode(), "text/plain", list(fault.headers.items())), fault
        headers: list[tuple[str, str]] = []
        if noted.operation == "Token":
            tenant = path.removesuffix(oauth.TOKEN_PATH).strip("/")
            status, value = self._directory.token(here + path, tenant, body)
        else:
            query = environ.get("QUERY_STRING", "")
            with self.store.lock:
                known = self.store.mailbox(autodiscover.address_in(path, query)) is not None
            own = f"{here}/EWS/Exchange.asmx"
            status, value, headers = self._autodiscover.answer(path, query, own, known)
        return Answer(status, json.dumps(value).encode(), "application/json", headers), fault

    def _operate(self, account: Account, envelope: Element, operation: Element) -> Answer:
        name = local(operation)
        try:
            version = envelope.find(f"{soap.S}Header/{soap.T}RequestServerVersion")
            if version is not None and version.get("Version") not in soap.KNOWN_VERSIONS:
                raise SoapFault("ErrorInvalidServerVersion", "The specified server version is invalid.")
            if name not in OPERATIONS:
                raise SoapFault("ErrorInvalidRequest", f"The operation {name} is not known to this server.")
            with self.store.lock:
                answer = OPERATIONS[name](open_call(self.store, account, envelope, operation))
        except EwsError as error:
            return Answer(500, soap.fault(error))
        except (ValueError, LookupError) as error:
            # Exchange checks a request against its schema first; here its faults show up while it is read.
            text = f"The request failed schema validation: {error}"
            return Answer(500, soap.fault(SoapFault("ErrorSchemaValidation", text)))
        except Exception:  # a bug of the lab's own: the client gets what Exchange gives for its bugs
            traceback.print_exc(file=sys.stderr)
            return Answer(500, soap.fault(SoapFault("ErrorInternalServerError", "An internal server error occurred.")))
        return Answer(200, soap.envelope(answer))


def _struck(fault: Fault, operation: Element) -> Answer | None:
    """What a fault answers in place of the work, if it keeps the work from being done."""
    if fault.drop == "before":
        return Answer(500)
    if fault.status is not None:
        return Answer(fault.status, fault.body.encode(), "text/plain", list(fault.headers.items()))
    if fault.code is not None:
        error = EwsError(fault.code, values=fault.values)
        if fault.code_as == "fault":
            return Answer(500, soap.fault(error))
        name = local(operation)
        return Answer(200, soap.envelope(soap.response(name, [failure(name, error) for _ in _things(operation)])))
    return None


def _things(operation: Element) -> list[Element]:
    """What a batched request asks for, one response message each."""
    for name in ("Items", "ItemIds", "ItemChanges", "FolderIds", "ParentFolderIds", "Attachments", "AttachmentIds"):
        found = operation.find(f"{soap.M}{name}")
        if found is not None:
            return list(found)
    return [operation]


def _count(operation: Element) -> int:
    """Of how many things a request is."""
    things = _things(operation)
    return 0 if things == [operation] else len(things)


def _mailbox_named(envelope: Element, environ: Environ) -> str:
    """The address that a request is about, for faults and records: impersonated, else anchored."""
    header = envelope.find(f"{soap.S}Header/{soap.T}ExchangeImpersonation")
    if header is not None:
        for element in header.iter():
            if element.text and element.text.strip():
                return str(element.text.strip())
    return str(environ.get("HTTP_X_ANCHORMAILBOX", ""))


def _headers(environ: Environ) -> dict[str, str]:
    return {
        name[5:].replace("_", "-").title(): str(value)
        for name, value in environ.items()
        if name.startswith("HTTP_") and name != "HTTP_AUTHORIZATION"
    }


def _body(environ: Environ) -> bytes | None:
    """The request's body; ``None`` when it is bigger than Exchange would take."""
    length = environ.get("CONTENT_LENGTH")
    if length and int(length) > MAX_REQUEST_BYTES:
        return None
    body: bytes = environ["wsgi.input"].read(int(length) if length else MAX_REQUEST_BYTES)
    return body


def create_app(path: Path) -> App:
    """The lab Exchange over the SQLite file at ``path``, created when missing."""
    return App(path)
