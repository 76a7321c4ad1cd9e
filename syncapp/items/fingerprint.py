"""What the database remembers of an item: keyed hashes of its elements, never its content.

A base (docs/architecture.md, "Base") maps the hash of an element's path to the hash of its normal form. Paths are
hashed too, because they name people and addresses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b

from syncapp.items import Item, fields
from syncapp.items.elements import Element, elements

_PATH_BYTES = 6
_VALUE_BYTES = 8

UNKNOWN = bytes(_VALUE_BYTES)
"""Stands for the hash of something that was there in another version of the normal forms: it equals nothing."""

Hashes = Mapping[bytes, bytes]
"""Hash of an element's path → hash of its normal form."""


@dataclass(frozen=True)
class Fingerprinter:
    """Hashes for one link: ``key`` (32 bytes) is the installation's, ``salt`` (16 bytes) the link's own."""

    key: bytes
    salt: bytes

    def path(self, element: Element) -> bytes:
        """The name under which an element stands in a base."""
        return _hash(self._paths, "\x1f".join(element).encode())

    def value(self, element: Element, normal: str) -> bytes:
        """The hash of an element's normal form; equal texts in different elements hash differently."""
        return _hash(self._values, ("\x1f".join(element) + "\x1e" + normal).encode())

    def item(self, item: Item) -> dict[bytes, bytes]:
        """The hashes of a whole item."""
        found: dict[bytes, bytes] = {}
        paths, values = self._paths, self._values
        for element, part in elements(item).items():
            path = "\x1f".join(element)
            found[_hash(paths, path.encode())] = _hash(values, f"{path}\x1e{part.normal}".encode())
        return found

    def whole(self, content: bytes) -> bytes:
        """The hash of a whole native object (docs/architecture.md, rule 5)."""
        return _hash(self._keyed(b"whole", _VALUE_BYTES), content)

    @cached_property
    def _paths(self) -> blake2b:
        return self._keyed(b"path", _PATH_BYTES)

    @cached_property
    def _values(self) -> blake2b:
        return self._keyed(b"value", _VALUE_BYTES)

    def _keyed(self, purpose: bytes, size: int) -> blake2b:
        return blake2b(digest_size=size, key=self.key, salt=self.salt, person=purpose)


def _hash(keyed: blake2b, content: bytes) -> bytes:
    # A copy costs half of what it does to begin anew, and an item has two dozen hashes.
    found = keyed.copy()
    found.update(content)
    return found.digest()


@dataclass(frozen=True)
class Base:
    """The hashes that one side had when both last agreed, and the version of the normal forms that made them."""

    hashes: Hashes
    version: int = field(default_factory=lambda: fields.NORMAL_FORM_VERSION)

    @property
    def is_current(self) -> bool:
        """Whether the normal forms of today made these hashes."""
        return self.version == fields.NORMAL_FORM_VERSION

    def pack(self) -> bytes:
        """The base as one binary value for the database."""
        body = b"".join(path + value for path, value in sorted(self.hashes.items()))
        return bytes([self.version]) + body

    @classmethod
    def unpack(cls, packed: bytes) -> Base:
        """The base that ``pack`` wrote. Raises ValueError when it is cut short."""
        version, body = packed[:1], packed[1:]
        size = _PATH_BYTES + _VALUE_BYTES
        if not version or len(body) % size:
            raise ValueError("a packed base was cut short")
        rows = (body[at : at + size] for at in range(0, len(body), size))
        return cls({row[:_PATH_BYTES]: row[_PATH_BYTES:] for row in rows}, version[0])
