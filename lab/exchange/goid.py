"""GlobalObjectId and UID of calendar items (MS-OXOCAL 2.2.1.27, MS-OXCICAL 2.1.3.1.1.20.26)."""

from __future__ import annotations

import binascii
import os
import struct
from datetime import UTC, date, datetime, timedelta

_HEADER = bytes.fromhex("040000008200E00074C5B7101A82E008")
_FOREIGN = b"vCal-Uid\x01\x00\x00\x00"
_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)


def new_uid(now: datetime) -> str:
    """The UID that Exchange gives to an event that brought none: the hex form of a fresh GlobalObjectId."""
    filetime = int((now - _EPOCH) / timedelta(microseconds=1)) * 10
    data = os.urandom(16)
    raw = _HEADER + b"\0\0\0\0" + struct.pack("<Q", filetime) + b"\0" * 8 + struct.pack("<I", len(data)) + data
    return raw.hex().upper()


def clean_goid(uid: str) -> bytes:
    """CleanGlobalObjectId of a UID: the UID itself when it is one of Outlook's, else wrapped as a vCal-Uid."""
    if uid[:32].upper() == _HEADER.hex().upper():
        try:
            raw = bytes.fromhex(uid)
        except ValueError:
            raw = b""
        if len(raw) >= 40:
            return raw[:16] + b"\0\0\0\0" + raw[20:]
    data = _FOREIGN + uid.encode("utf-8") + b"\0"
    return _HEADER + b"\0" * 4 + b"\0" * 8 + b"\0" * 8 + struct.pack("<I", len(data)) + data


def goid(uid: str, original: date | None) -> bytes:
    """GlobalObjectId: the clean one, with the original date of the occurrence for an exception."""
    clean = clean_goid(uid)
    if original is None:
        return clean
    return clean[:16] + struct.pack(">HBB", original.year, original.month, original.day) + clean[20:]


def uid_of(goid: bytes) -> str:
    """The UID that a GlobalObjectId stands for; raises ValueError for bytes that are none."""
    if len(goid) < 40 or goid[:16] != _HEADER:
        raise ValueError(f"not a GlobalObjectId: {binascii.hexlify(goid)!r}")
    data = goid[40:]
    if data.startswith(_FOREIGN):
        return data[len(_FOREIGN) :].rstrip(b"\0").decode("utf-8", errors="replace")
    return (goid[:16] + b"\0\0\0\0" + goid[20:]).hex().upper()
