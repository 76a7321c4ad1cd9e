"""Identifiers as Exchange hands them out: opaque, case-sensitive base64, with the mailbox inside."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import struct
from datetime import UTC, datetime, timedelta

_ITEM_LENGTH = 4 + 36 + 2 + 24
_OCCURRENCE_MARK = b"\x51\x01"
_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)


class BadId(ValueError):
    """A string that no server made."""


def new_ident(mailbox_guid: str) -> str:
    """A fresh item or folder id; the start (``AAMkA…``) looks like Exchange's."""
    raw = b"\x00\x03\x24\x00" + mailbox_guid.encode("ascii") + b"\x46\x00" + os.urandom(24)
    return base64.b64encode(raw).decode("ascii")


def occurrence_ident(master: str, original: datetime) -> str:
    """The id of one occurrence of a series: the series' id and the occurrence's original start."""
    filetime = int((original - _EPOCH) / timedelta(microseconds=1)) * 10
    raw = base64.b64decode(master) + _OCCURRENCE_MARK + struct.pack("<Q", filetime)
    return base64.b64encode(raw).decode("ascii")


def split_ident(ident: str) -> tuple[str, datetime | None]:
    """An item id as (id of the stored item, original start when it names an occurrence); raises BadId."""
    try:
        raw = base64.b64decode(ident, validate=True)
    except (binascii.Error, ValueError):
        raise BadId(ident) from None
    if len(raw) == _ITEM_LENGTH:
        return ident, None
    if len(raw) != _ITEM_LENGTH + 10 or raw[_ITEM_LENGTH : _ITEM_LENGTH + 2] != _OCCURRENCE_MARK:
        raise BadId(ident)
    (filetime,) = struct.unpack("<Q", raw[_ITEM_LENGTH + 2 :])
    try:
        original = _EPOCH + timedelta(microseconds=filetime // 10)
    except OverflowError:
        raise BadId(ident) from None
    return base64.b64encode(raw[:_ITEM_LENGTH]).decode("ascii"), original


def change_key(version: int) -> str:
    """The change key of a version; versions grow with every write on the server."""
    raw = b"\x10\x00\x00\x00\x16\x00\x00\x00" + struct.pack(">Q", version) + b"\x00\x00"
    return base64.b64encode(raw).decode("ascii")


def version_of(key: str) -> int:
    """The version behind a change key; raises BadId."""
    try:
        raw = base64.b64decode(key, validate=True)
    except (binascii.Error, ValueError):
        raise BadId(key) from None
    if len(raw) != 18 or raw[:8] != b"\x10\x00\x00\x00\x16\x00\x00\x00":
        raise BadId(key)
    return int(struct.unpack(">Q", raw[8:16])[0])


def sync_state(incarnation: str, scope: str, numbers: tuple[int, ...]) -> str:
    """An opaque sync state for one scope (a folder, a hierarchy) of one incarnation of the server."""
    payload = "\n".join([incarnation, scope, *map(str, numbers)]).encode()
    return base64.b64encode(hashlib.sha256(payload).digest()[:8] + payload).decode("ascii")


def read_sync_state(state: str, incarnation: str, scope: str, length: int) -> tuple[int, ...]:
    """The numbers of a sync state; raises BadId for garbage and for another scope's or incarnation's state."""
    try:
        raw = base64.b64decode(state, validate=True)
    except (binascii.Error, ValueError):
        raise BadId(state) from None
    payload = raw[8:]
    if hashlib.sha256(payload).digest()[:8] != raw[:8]:
        raise BadId(state)
    made_by, made_for, *numbers = payload.decode().split("\n")
    if (made_by, made_for) != (incarnation, scope) or len(numbers) != length:
        raise BadId(state)
    return tuple(int(number) for number in numbers)
