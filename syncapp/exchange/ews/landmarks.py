"""The folders that every mailbox has, and the cheap look at folders. One request serves both kinds of items."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from syncapp.exchange.ews import operations
from syncapp.exchange.ews.connection import Connection
from syncapp.exchange.ews.extended import DELETED_TOTAL, LAST_CHANGE, extended
from syncapp.exchange.ews.markup import Markup, joined
from syncapp.exchange.ews.properties import path
from syncapp.exchange.ews.times import parse_instant
from syncapp.exchange.ews.xml import Element, Properties, child
from syncapp.items.values import Kind
from syncapp.side import Gone, Look, SideError

ROOT, BIN = "msgfolderroot", "deleteditems"
DEFAULT_FOLDER = {Kind.EVENT: "calendar", Kind.CONTACT: "contacts"}
_NAMES = (ROOT, BIN, *DEFAULT_FOLDER.values())
_IDS = [operations.distinguished(name) for name in _NAMES]

_SETTLED = timedelta(seconds=5)
"""How old the newest change must be before times of whole seconds tell it from a next one."""
_LOOK_PATHS = joined([LAST_CHANGE.path, DELETED_TOTAL.path, path("folder:TotalCount")])
"""The properties that tell whether anything happened in a folder."""


class Landmarks:
    """What the sides of one mailbox share: the ids of its distinguished folders, and a first look at them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._ids: dict[str, str | SideError] = {}
        self._seen: dict[str, Look] = {}

    def id(self, name: str) -> str:
        """The id of a distinguished folder. Raises what the server says of it."""
        if not self._ids:
            self._ask(None)
        id = self._ids[name]
        if isinstance(id, SideError):
            raise id
        return id

    def visit(self) -> None:
        """Ask for the ids if that was not done yet, and look at the default folders with the same request."""
        if self._ids:
            return
        found = self._ask(_LOOK_PATHS)
        now = self._connection.server_time
        for name in DEFAULT_FOLDER.values():
            if not isinstance(folder := found[name], SideError):
                self._seen[folder_id(folder)] = _look(folder, now)

    def _ask(self, paths: Markup | None) -> dict[str, operations.Answer]:
        answers = operations.get_folders(self._connection, _IDS, paths)
        found = dict(zip(_NAMES, answers, strict=True))
        # Without these there is no mailbox to speak of; a missing default folder concerns its own kind.
        for name in (ROOT, BIN):
            if isinstance(problem := found[name], SideError):
                raise problem
        self._ids = {name: each if isinstance(each, SideError) else folder_id(each) for name, each in found.items()}
        return found

    def look(self, folders: Collection[str]) -> Mapping[str, Look]:
        """See ``EwsSide.look``. What ``visit`` has seen is told once: a later look has to ask (rule 1)."""
        found = {id: self._seen.pop(id) for id in folders if id in self._seen}
        wanted = [id for id in folders if id not in found]
        if not wanted:
            return found
        answers = operations.get_folders(self._connection, list(map(operations.folder_id, wanted)), _LOOK_PATHS)
        now = self._connection.server_time
        for id, answer in zip(wanted, answers, strict=True):
            if isinstance(answer, Gone):
                continue
            if isinstance(answer, SideError):
                raise answer
            found[id] = _look(answer, now)
        return found


def _look(folder: Element, now: datetime) -> Look:
    """No token where the server does not tell, and none while times of whole seconds can't tell a next change."""
    properties = Properties(folder)
    changed, deleted = extended(properties, LAST_CHANGE), extended(properties, DELETED_TOTAL)
    try:
        if not deleted or now - parse_instant(changed) < _SETTLED:
            return Look(None)
    except ValueError:
        return Look(None)
    return Look(f"{changed} {deleted} {properties.text('TotalCount')}")


def folder_id(element: Element) -> str:
    """The id of a folder that was read, "" without one."""
    found = child(element, "FolderId")
    return "" if found is None else found.get("Id", "")
