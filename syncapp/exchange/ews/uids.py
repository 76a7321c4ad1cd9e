"""A UID as Exchange keeps it: the GlobalObjectId (MS-OXOCAL sections 2.2.1.27 and 2.2.1.28).

EWS can't search for a UID, but for PidLidCleanGlobalObjectId, which both kinds of UID can be turned into.
"""

from __future__ import annotations

_HEADER = bytes.fromhex("040000008200E00074C5B7101A82E008")
_DATE = slice(16, 20)
_SIZE_AT = 36
_DATA_AT = 40
_FOREIGN = b"vCal-Uid\x01\x00\x00\x00"


def global_object_id(uid: str) -> bytes:
    """The clean GlobalObjectId of the series or event with this UID.

    A UID that Exchange made is the hexadecimal text of its GlobalObjectId, whose date part is cleared here; any other
    is wrapped as a vCal-Uid.
    """
    try:
        raw = bytes.fromhex(uid) if uid.isalnum() else b""
    except ValueError:
        raw = b""
    if raw.startswith(_HEADER) and len(raw) >= _DATA_AT:
        return raw[: _DATE.start] + bytes(4) + raw[_DATE.stop :]
    data = _FOREIGN + uid.encode() + b"\x00"
    return _HEADER + bytes(20) + len(data).to_bytes(4, "little") + data


def uid_of(value: bytes) -> str:
    """The UID in a GlobalObjectId, "" if these bytes are none."""
    if not value.startswith(_HEADER) or len(value) < _DATA_AT:
        return ""
    data = value[_DATA_AT : _DATA_AT + int.from_bytes(value[_SIZE_AT:_DATA_AT], "little")]
    if data.startswith(_FOREIGN):
        return data.removeprefix(_FOREIGN).rstrip(b"\x00").decode("utf-8", "replace")
    return (value[: _DATE.start] + bytes(4) + value[_DATE.stop :]).hex().upper()
