"""What the real server accepts as a contact, and what it hands out of what it stored."""

from __future__ import annotations

import hashlib
import re
import uuid
from dataclasses import dataclass

from lab.nextcloud.lines import BrokenText, Component, fold, parse
from lab.nextcloud.wire import broken, forbidden, unsupported

MAX_SIZE = 5 * 1024 * 1024
MAX_NAME = 255


@dataclass(frozen=True)
class Checked:
    """A contact that may be stored; ``altered``: what is read back will differ from what was put."""

    data: bytes
    tree: Component
    uid: str
    altered: bool


def check(data: bytes, name: str) -> Checked:
    """Check a PUT into an address book; raises Refusal as measured."""
    if len(data) > MAX_SIZE:
        raise forbidden("Uploaded contact is too large")
    if len(name) > MAX_NAME:
        raise broken()
    try:
        text = data.decode()
        tree = parse(text)
    except (UnicodeDecodeError, BrokenText) as error:
        raise unsupported(f"This resource only supports valid vCard data. Parse error: {error}") from error
    if tree.name != "VCARD":
        raise unsupported("This collection can only support vcard objects.")
    version = tree.text("VERSION")
    if version not in ("3.0", "4.0"):
        raise unsupported("Only vCard version 3.0 and 4.0 are supported")
    uid = tree.text("UID")
    altered = uid is None
    if uid is None:
        uid = str(uuid.uuid4())
        end = text.upper().rindex("END:VCARD")
        data = (text[:end] + fold(f"UID:{uid}") + text[end:]).encode()
    if len(uid) > MAX_NAME:
        raise broken()
    return Checked(data, tree, uid, altered or as_read(data)[0] != data)


def as_read(data: bytes) -> tuple[bytes, str]:
    """What a client reads of a stored card, and its ETag.

    Photos that are not pictures are left out, version 4.0 is converted to 3.0.
    """
    shown = _without_foreign_photos(data)
    etag = f'"{hashlib.md5(shown, usedforsecurity=False).hexdigest()}"'
    if re.search(rb"^VERSION:4\.0\s*$", shown, re.MULTILINE | re.IGNORECASE):
        shown = _as_version_3(shown)
    return shown, etag


def _without_foreign_photos(data: bytes) -> bytes:
    """Drop ``PHOTO:data:`` lines of other types than image, as the real server does when it reads a card."""
    kept: list[bytes] = []
    dropping = False
    for line in data.split(b"\r\n"):
        if line.startswith(b"PHOTO:data:") and not line.startswith(b"PHOTO:data:image/"):
            dropping = True
            continue
        if dropping and line.startswith(b" "):
            continue
        dropping = False
        kept.append(line)
    return b"\r\n".join(kept)


def _as_version_3(data: bytes) -> bytes:
    """The few differences that matter to a reader: version, TYPE spelling, photos as inline BASE64."""
    text = data.decode()
    text = re.sub(r"(?im)^VERSION:4\.0(?=\r?$)", "VERSION:3.0", text)
    text = re.sub(r"(?im)^KIND:individual\r?\n", "", text)
    unfolded = re.sub(r"\r?\n[ \t]", "", text)
    lines = [_line_as_version_3(line) for line in re.split(r"\r?\n", unfolded) if line]
    return "".join(fold(line) for line in lines).encode()


def _line_as_version_3(line: str) -> str:
    photo = re.fullmatch(r"(?is)(PHOTO|LOGO)[^:]*:data:image/(\w+);base64,(.*)", line)
    if photo:
        return f"{photo[1]};ENCODING=b;TYPE={photo[2].upper()}:{photo[3]}"
    birthday = re.fullmatch(r"(BDAY|ANNIVERSARY)(?:;[^:]*)?:(\d{4})(\d\d)(\d\d)", line, re.IGNORECASE)
    if birthday:
        return f"{birthday[1]}:{birthday[2]}-{birthday[3]}-{birthday[4]}"
    return re.sub(r";PREF=1(?=[;:])", ";TYPE=PREF", line)
