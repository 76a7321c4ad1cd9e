"""What the lab Exchange stores, one record per row."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

Props = dict[str, Any]


def now() -> datetime:
    """The server's clock, in whole seconds."""
    return datetime.now(UTC).replace(microsecond=0)


def stamp(moment: datetime) -> str:
    """A moment as it is stored: UTC, whole seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True)
class Mailbox:
    """A mailbox; ``address`` is its primary SMTP address."""

    id: int
    address: str
    name: str
    guid: str


@dataclass(frozen=True)
class Account:
    """A login: of a mailbox's user, or a service account; ``impersonates`` are addresses, ``*`` means all."""

    name: str
    password: str
    mailbox: int | None
    impersonates: frozenset[str]


@dataclass(frozen=True)
class Folder:
    """A folder; ``role`` is its distinguished name or empty."""

    id: int
    mailbox: int
    parent: int | None
    ident: str
    role: str
    folder_class: str
    name: str
    version: int
    born: int


@dataclass
class Item:
    """A stored item: typed properties by EWS field name, extended properties by key (extended.py)."""

    id: int
    mailbox: int
    folder: int
    ident: str
    kind: str
    version: int
    born: int
    props: Props
    extended: Props
    created: str
    modified: str


@dataclass
class Override:
    """What one occurrence of a series has of its own, or that it is deleted; ``original`` is its original start."""

    original: str
    deleted: bool = False
    props: Props = field(default_factory=dict)
    extended: Props = field(default_factory=dict)


@dataclass(frozen=True)
class Attachment:
    """A file attachment without its bytes (``Store.attachment_content``)."""

    id: int
    item: int
    ident: str
    name: str
    content_type: str
    content_id: str
    inline: bool
    photo: bool
    modified: str
    size: int
