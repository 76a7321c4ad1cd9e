"""Requests that are broken in some way: refused one by one, never with an answer that breaks the schema."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from lab.exchange.app import App, create_app
from tests.lab.exchange import schema
from tests.lab.exchange.conftest import ADA

NAMESPACES = (
    'xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages" '
    'xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types"'
)
EVENT = (
    '<m:CreateItem SendMeetingInvitations="SendToNone" {ns}><m:Items><t:CalendarItem><t:Subject>s</t:Subject>'
    '<t:Body BodyType="HTML">b</t:Body><t:ExtendedProperty><t:ExtendedFieldURI PropertyName="x" '
    'PropertySetId="6a5e1f1c-5f0e-4b7b-9a35-7f0f2a6f0c11" PropertyType="Binary"/><t:Value>aGk=</t:Value>'
    "</t:ExtendedProperty><t:UID>u</t:UID><t:Start>2026-03-02T09:00:00Z</t:Start><t:End>2026-03-02T10:00:00Z</t:End>"
    "<t:RequiredAttendees><t:Attendee><t:Mailbox><t:EmailAddress>a@b.org</t:EmailAddress></t:Mailbox></t:Attendee>"
    "</t:RequiredAttendees><t:Recurrence><t:WeeklyRecurrence><t:Interval>1</t:Interval><t:DaysOfWeek>Monday"
    "</t:DaysOfWeek><t:FirstDayOfWeek>Monday</t:FirstDayOfWeek></t:WeeklyRecurrence><t:EndDateRecurrence>"
    "<t:StartDate>2026-03-02</t:StartDate><t:EndDate>2026-05-02</t:EndDate></t:EndDateRecurrence></t:Recurrence>"
    '<t:StartTimeZone Id="W. Europe Standard Time"/></t:CalendarItem></m:Items></m:CreateItem>'
)
CONTACT = (
    "<m:CreateItem {ns}><m:Items><t:Contact><t:FileAsMapping>LastCommaFirst</t:FileAsMapping>"
    '<t:GivenName>a</t:GivenName><t:EmailAddresses><t:Entry Key="EmailAddress1">a@b.org</t:Entry></t:EmailAddresses>'
    '<t:PhysicalAddresses><t:Entry Key="Home"><t:Street>x</t:Street></t:Entry></t:PhysicalAddresses>'
    "<t:Birthday>2000-01-01T00:00:00Z</t:Birthday></t:Contact></m:Items></m:CreateItem>"
)
FIND = (
    '<m:FindItem Traversal="Shallow" {ns}><m:ItemShape><t:BaseShape>Default</t:BaseShape></m:ItemShape>'
    '<m:IndexedPageItemView MaxEntriesReturned="5" Offset="0" BasePoint="Beginning"/><m:Restriction><t:And>'
    '<t:Contains ContainmentMode="Substring" ContainmentComparison="IgnoreCase"><t:FieldURI FieldURI="item:Subject"/>'
    '<t:Constant Value="s"/></t:Contains><t:IsGreaterThan><t:FieldURI FieldURI="calendar:Start"/>'
    '<t:FieldURIOrConstant><t:Constant Value="2026-01-01T00:00:00Z"/></t:FieldURIOrConstant></t:IsGreaterThan></t:And>'
    '</m:Restriction><m:SortOrder><t:FieldOrder Order="Ascending"><t:FieldURI FieldURI="calendar:Start"/>'
    '</t:FieldOrder></m:SortOrder><m:ParentFolderIds><t:DistinguishedFolderId Id="calendar"/></m:ParentFolderIds>'
    "</m:FindItem>"
)
VIEW = (
    '<m:FindItem Traversal="Shallow" {ns}><m:ItemShape><t:BaseShape>AllProperties</t:BaseShape></m:ItemShape>'
    '<m:CalendarView StartDate="2026-01-01T00:00:00Z" EndDate="2026-12-01T00:00:00Z" MaxEntriesReturned="10"/>'
    '<m:ParentFolderIds><t:DistinguishedFolderId Id="calendar"/></m:ParentFolderIds></m:FindItem>'
)
SYNC = (
    "<m:SyncFolderItems {ns}><m:ItemShape><t:BaseShape>AllProperties</t:BaseShape></m:ItemShape><m:SyncFolderId>"
    '<t:DistinguishedFolderId Id="calendar"/></m:SyncFolderId><m:MaxChangesReturned>9</m:MaxChangesReturned>'
    "</m:SyncFolderItems>"
)
UPDATE = (
    '<m:UpdateItem ConflictResolution="AutoResolve" SendMeetingInvitationsOrCancellations="SendToNone" {ns}>'
    '<m:ItemChanges><t:ItemChange><t:OccurrenceItemId RecurringMasterId="ID" ChangeKey="KEY" InstanceIndex="2"/>'
    '<t:Updates><t:SetItemField><t:FieldURI FieldURI="calendar:Start"/><t:CalendarItem><t:Start>2026-03-09T08:30:00Z'
    '</t:Start></t:CalendarItem></t:SetItemField><t:DeleteItemField><t:FieldURI FieldURI="item:Categories"/>'
    "</t:DeleteItemField></t:Updates></t:ItemChange></m:ItemChanges></m:UpdateItem>"
)
GET = (
    "<m:GetItem {ns}><m:ItemShape><t:BaseShape>AllProperties</t:BaseShape><t:BodyType>Text</t:BodyType>"
    '<t:AdditionalProperties><t:ExtendedFieldURI DistinguishedPropertySetId="Meeting" PropertyId="3" '
    'PropertyType="Binary"/></t:AdditionalProperties></m:ItemShape><m:ItemIds><t:ItemId Id="ID"/>'
    '<t:OccurrenceItemId RecurringMasterId="ID" InstanceIndex="3"/></m:ItemIds></m:GetItem>'
)
VALUES = (
    *("", "0", "-1", "abc", "2026-03-02", "9" * 30, "true", "2026-13-45T99:00:00Z", "0001-01-01T00:00:00+14:00"),
    *("9999-12-31T23:59:59Z", "AAAA", "<p>", "item:Body", "Day", "4500-01-01"),
)


class Server:
    """The app without a network, and a series to point at."""

    def __init__(self, app: App) -> None:
        self._app = app
        self.control("mailboxes", {"address": ADA, "password": "pw"})
        made = self.ask(EVENT.replace("{ns}", NAMESPACES))
        found = re.search(r'ItemId Id="([^"]+)" ChangeKey="([^"]+)"', made)
        assert found is not None
        self.ident, self.key = found.groups()

    def _request(self, path: str, body: bytes) -> str:
        environ: dict[str, Any] = {
            "REQUEST_METHOD": "POST",
            "PATH_INFO": path,
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.input": io.BytesIO(body),
            "HTTP_AUTHORIZATION": "Basic " + base64.b64encode(f"{ADA}:pw".encode()).decode(),
        }
        return b"".join(self._app(environ, lambda line, headers: (line, headers))).decode()

    def control(self, name: str, data: Any) -> str:
        """A control request."""
        return self._request(f"/lab/{name}", json.dumps(data).encode())

    def ask(self, operation: str) -> str:
        """The answer to an operation."""
        text = f'<s:Envelope xmlns:s="{schema.SOAP[1:-1]}"><s:Body>{operation}</s:Body></s:Envelope>'
        return self._request("/EWS/Exchange.asmx", text.encode())


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all examples."""
    app = create_app(tmp_path_factory.mktemp("hostile") / "exchange.db")
    yield Server(app)
    app.store.close()


@st.composite
def broken(draw: st.DrawFn) -> etree._Element:
    """A good request with up to three wounds."""
    text = draw(st.sampled_from([EVENT, CONTACT, FIND, VIEW, SYNC, UPDATE, GET]))
    root = etree.fromstring(text.replace("{ns}", NAMESPACES))
    for _ in range(draw(st.integers(0, 3))):
        element = draw(st.sampled_from(list(root.iter())))
        wound = draw(st.sampled_from(["remove", "text", "attribute", "double"]))
        parent = element.getparent()
        if wound == "remove" and parent is not None:
            parent.remove(element)
        elif wound == "double" and parent is not None:
            parent.append(etree.fromstring(etree.tostring(element)))
        elif wound == "text":
            element.text = draw(st.sampled_from(VALUES))
        elif element.attrib:
            name = draw(st.sampled_from(sorted(map(str, element.attrib))))
            element.set(name, draw(st.sampled_from(VALUES)))
    return root


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(broken())
def test_it_survives_broken_requests(server: Server, request_: etree._Element) -> None:
    schema.require()
    text = etree.tostring(request_, encoding="unicode").replace('"ID"', f'"{server.ident}"')
    answer = server.ask(text.replace('"KEY"', f'"{server.key}"'))
    assert "ErrorInternalServerError" not in answer
    assert schema.complaints({"operation": "", "request": "", "response": answer} | {"operation": "broken"}) == []


def test_it_takes_no_deep_nesting(server: Server) -> None:
    nested = "<x>" * 5000 + "</x>" * 5000
    assert "ErrorInvalidRequest" in server.ask(nested)


def test_it_survives_control_requests_of_the_wrong_shape(server: Server) -> None:
    for name in ("mailboxes", "accounts", "organizer", "traffic"):
        shapes: tuple[Any, ...] = ([], "x", 7, {"address": None}, {"item": 7})
        for data in shapes:
            assert "error" in server.control(name, data)
