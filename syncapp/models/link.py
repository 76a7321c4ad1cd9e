"""One item of an enrollment that both sides know, or are about to know."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from django.db import connection, models
from django.db.models import Q
from django.db.models.base import ModelState

from syncapp.items import Kind
from syncapp.models.enrollment import Enrollment
from syncapp.models.pairing import Pairing, digest
from syncapp.models.rows import values_of
from syncapp.models.statements import change_many
from syncapp.side import SideName

KEY_BYTES = 16
NONCE_BYTES = 8
EARLIER_REVISIONS = 6
"""How many revisions before the present one are remembered of an object (rule 22)."""
_EARLIER_BYTES = 8
_STORED = "_stored"
"""Where a link keeps what is known to be stored of it."""
_FIXED = frozenset({"id", "enrollment", "kind", "key", "dirty"})
_UPDATED_APART = frozenset({"attempts", "not_before", "has_problem"})
"""What single statements write for rows that are loaded: there, what was loaded tells nothing about what is stored."""
_OWN_ID = re.compile(rf"([0-9a-f]{{{2 * KEY_BYTES}}})\.([0-9a-f]{{{2 * NONCE_BYTES}}})(?:\.[a-z]+)?")

T = TypeVar("T")


def new_key() -> bytes:
    """The key of a new link: random, so that a restored database never hands it out again (rule 22)."""
    return os.urandom(KEY_BYTES)


def new_nonce() -> bytes:
    """The nonce of one attempt to create an object (rule 11)."""
    return os.urandom(NONCE_BYTES)


def own_id(key: bytes, nonce: bytes) -> str:
    """The id that we give to an object that we create."""
    return f"{key.hex()}.{nonce.hex()}"


def parse_own_id(text: str) -> tuple[bytes, bytes] | None:
    """The key of the link and the nonce in an own id, None if the id is not one of ours.

    >>> parse_own_id(own_id(b"k" * 16, b"n" * 8) + ".ics") == (b"k" * 16, b"n" * 8)
    True
    >>> parse_own_id("n17.ics") is None
    True
    """
    match = _OWN_ID.fullmatch(text)
    return (bytes.fromhex(match[1]), bytes.fromhex(match[2])) if match else None


class _Column(Generic[T]):
    """A column that a link has once per side."""

    def __init__(self, name: str = "") -> None:
        self.name = name

    def __set_name__(self, owner: type, name: str) -> None:
        self.names = {side: f"{side}_{self.name or name}" for side in SideName}

    def __get__(self, of: LinkSide, owner: type) -> T:
        value: T = getattr(of.link, self.names[of.name])
        return value

    def __set__(self, of: LinkSide, value: T) -> None:
        setattr(of.link, self.names[of.name], value)


class LinkSide:
    """What a link remembers of its object on one side: the same names for both sides."""

    digest: _Column[bytes | None] = _Column()
    uid_digest: _Column[bytes | None] = _Column()
    revision: _Column[str] = _Column()
    earlier: _Column[bytes] = _Column()
    base: _Column[bytes | None] = _Column()
    whole: _Column[bytes | None] = _Column()
    missing: _Column[int | None] = _Column()
    lost: _Column[bool] = _Column()
    nonce: _Column[bytes | None] = _Column()
    pairing_id: _Column[int | None] = _Column()
    _text: _Column[str] = _Column("id_text")
    _uid: _Column[str] = _Column("uid")

    __slots__ = ("link", "name")

    def __init__(self, link: Link, name: SideName) -> None:
        self.link = link
        self.name = name

    @property
    def id(self) -> str:
        """The id of the object, "" if there never was one."""
        return self._text

    @id.setter
    def id(self, value: str) -> None:
        if value != self._text:
            self._text = value
            self.digest = digest(value) if value else None

    @property
    def uid(self) -> str:
        """The UID of the object on this side (rule 18)."""
        return self._uid

    @uid.setter
    def uid(self, value: str) -> None:
        if value != self._uid:
            self._uid = value
            self.uid_digest = digest(value) if value else None

    @property
    def known(self) -> bool:
        """Whether there is, or was, an object on this side."""
        return bool(self.id) or self.missing is not None

    @property
    def there(self) -> bool:
        """Whether there is an object on this side, as far as we know."""
        return bool(self.id) and self.missing is None

    def take_revision(self, revision: str) -> None:
        """The object has another revision now; the one before is remembered (rule 22)."""
        if revision == self.revision:
            return
        if self.revision:
            kept = bytes(self.earlier)[: _EARLIER_BYTES * (EARLIER_REVISIONS - 1)]
            self.earlier = _short(self.revision) + kept
        self.revision = revision

    def take_from(self, other: LinkSide) -> None:
        """Become what ``other`` remembers of this side: its object is now this link's."""
        self.id, self.uid, self.revision = other.id, other.uid, other.revision
        self.earlier, self.whole, self.missing, self.lost = other.earlier, None, other.missing, other.lost
        self.pairing_id, self.nonce = other.pairing_id, other.nonce

    def forget(self) -> None:
        """There is no such object any more, nor ever was."""
        self.id, self.uid, self.revision, self.earlier = "", "", "", b""
        self.base, self.whole, self.missing, self.lost = None, None, None, False
        self.pairing_id, self.nonce = None, None


def had_revision(earlier: bytes, revision: str) -> bool:
    """Whether ``revision`` is among the ``earlier`` ones of an object."""
    short = _short(revision)
    return any(earlier[at : at + _EARLIER_BYTES] == short for at in range(0, len(earlier), _EARLIER_BYTES))


def _short(revision: str) -> bytes:
    return digest(revision)[:_EARLIER_BYTES]


class LinkManager(models.Manager["Link"]):
    """Links are written in batches."""

    def put(self, links: Sequence[Link]) -> None:
        """Write what has changed in stored links; dirt is counted and cleared apart (rule 20).

        Rows that ended stay ended. One prepared statement for all, with the columns that changed in any of them: each
        further column costs time, one that is in an index a multiple of it.
        """
        if not links:
            return
        changed = _UPDATED_APART.union(*(link.changed_since_stored() for link in links))
        written = [each for each in Link._meta.concrete_fields if each.attname in changed]
        quote = connection.ops.quote_name
        columns = ", ".join(f"{quote(str(each.column))} = %s" for each in written)
        statement = f"UPDATE {quote(Link._meta.db_table)} SET {columns} WHERE {quote('id')} = %s"  # noqa: S608
        values = values_of(written)
        with connection.cursor() as cursor:
            cursor.executemany(statement, [[*values(link), link.pk] for link in links])
        for link in links:
            link.note_stored()

    def begin(self, links: Sequence[Link]) -> None:
        """Count one more attempt of each, in the database."""
        change_many("UPDATE syncapp_link SET attempts = attempts + 1 WHERE id = %s", [(link.pk,) for link in links])

    def clean(self, read: Iterable[tuple[int, int]]) -> None:
        """Clear the dirt of links, given as (pk, the counter that was read): newer dirt stays (rule 20)."""
        change_many("UPDATE syncapp_link SET dirty = 0, untold = '' WHERE id = %s AND dirty = %s", list(read))


class Link(models.Model):
    """What is remembered of an item (docs/architecture.md, "What a link remembers").

    Columns come once per side; ``side()`` gives them the same names for both. Of an object: ``id``, ``uid``,
    ``revision`` and ``earlier`` ones; ``base`` and ``whole``, fingerprints from when both sides agreed; ``missing``,
    the pass in which its absence was noted, and whether it was ``lost`` by its server, not deleted by a person (rules
    6, 22); the ``nonce`` if we created it; the pairing in whose folder it stands.

    ``pairing`` is the folder on which both sides agreed: the base of the field "folder" (rule 2). ``dirty`` counts what
    happened since the link was last in step. ``intent`` is what was begun (syncapp/engine/intents.py). ``prefer`` names
    the side that wins the next conflict (rule 17). ``content`` holds digests by which a half-link is recognised on
    first contact. ``initial``: found by a pairing's first listing, so that its window applies. ``returned``: the
    ledger knows it as deleted, and it came back with a server that was restored (rule 22).

    ``attempts`` are the beginnings of work on it that came to no end: they are counted before, so that an item that
    kills its worker shows. ``failures`` are the ends that were none: both put off the next try (``not_before``).
    ``ignored``: somebody wants it to be left alone until it changes. ``untold`` names the side that had not told that
    something happened to it: a full comparison found it.
    """

    enrollment = models.ForeignKey(Enrollment, on_delete=models.CASCADE, related_name="links")
    kind = models.CharField(max_length=10, choices=[(kind.value, kind.value) for kind in Kind])
    key = models.BinaryField(max_length=KEY_BYTES, default=new_key, unique=True)
    pairing = models.ForeignKey(Pairing, null=True, on_delete=models.CASCADE, related_name="links")

    exchange_id_text = models.TextField(blank=True)
    exchange_digest = models.BinaryField(max_length=16, null=True)
    exchange_uid = models.TextField(blank=True)
    exchange_uid_digest = models.BinaryField(max_length=16, null=True)
    exchange_revision = models.TextField(blank=True)
    exchange_earlier = models.BinaryField(default=b"")
    exchange_base = models.BinaryField(null=True)
    exchange_whole = models.BinaryField(max_length=8, null=True)
    exchange_missing = models.PositiveBigIntegerField(null=True)
    exchange_lost = models.BooleanField(default=False)
    exchange_nonce = models.BinaryField(max_length=NONCE_BYTES, null=True)
    exchange_pairing = models.ForeignKey(Pairing, null=True, on_delete=models.CASCADE, related_name="+")

    nextcloud_id_text = models.TextField(blank=True)
    nextcloud_digest = models.BinaryField(max_length=16, null=True)
    nextcloud_uid = models.TextField(blank=True)
    nextcloud_uid_digest = models.BinaryField(max_length=16, null=True)
    nextcloud_revision = models.TextField(blank=True)
    nextcloud_earlier = models.BinaryField(default=b"")
    nextcloud_base = models.BinaryField(null=True)
    nextcloud_whole = models.BinaryField(max_length=8, null=True)
    nextcloud_missing = models.PositiveBigIntegerField(null=True)
    nextcloud_lost = models.BooleanField(default=False)
    nextcloud_nonce = models.BinaryField(max_length=NONCE_BYTES, null=True)
    nextcloud_pairing = models.ForeignKey(Pairing, null=True, on_delete=models.CASCADE, related_name="+")

    dirty = models.PositiveIntegerField(default=0)
    intent = models.JSONField(null=True)
    prefer = models.CharField(max_length=10, blank=True)
    content = models.BinaryField(null=True)
    initial = models.BooleanField(default=False)
    recurring = models.BooleanField(default=False)
    returned = models.BooleanField(default=False)
    fresh_uid = models.BooleanField(default=False)

    attempts = models.PositiveIntegerField(default=0)
    failures = models.PositiveIntegerField(default=0)
    not_before = models.DateTimeField(null=True)
    has_problem = models.BooleanField(default=False)
    ignored = models.BooleanField(default=False)
    untold = models.CharField(max_length=10, blank=True)

    ANEW: ClassVar = MappingProxyType({"attempts": 0, "failures": 0, "not_before": None, "ignored": False})
    """What becomes of the memory of earlier tries when something happens to an item: it is tried at once."""

    objects: ClassVar[LinkManager] = LinkManager()

    if TYPE_CHECKING:
        id: int
        enrollment_id: int
        pairing_id: int | None
        exchange_pairing_id: int | None
        nextcloud_pairing_id: int | None

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["enrollment", "kind", f"{side}_digest"],
                condition=Q(**{f"{side}_digest__isnull": False}),
                name=f"one_link_per_{side}_object",
            )
            for side in ("exchange", "nextcloud")
        ]
        indexes: ClassVar = [
            models.Index(fields=["enrollment", "kind", "id"], condition=Q(dirty__gt=0), name="link_dirty"),
            *(
                # With the kind, or planners take the constraint above for the better index and read every link.
                models.Index(
                    fields=["enrollment", "kind", f"{side}_uid_digest"],
                    condition=Q(**{f"{side}_uid_digest__isnull": False}),
                    name=f"link_{side}_uid",
                )
                for side in ("exchange", "nextcloud")
            ),
        ]

    def __str__(self) -> str:
        return f"link {self.pk}"

    @classmethod
    def from_db(cls, db: str | None, field_names: Collection[str], values: Collection[Any], **modes: Any) -> Link:
        """A stored link; one that was loaded with all columns knows what of it was stored.

        The constructor would set each of forty columns by itself, and send signals, which nobody of ours receives.
        """
        if len(values) != len(cls._meta.concrete_fields):
            return super().from_db(db, field_names, values, **modes)
        link = cls.__new__(cls)
        link._state = ModelState()
        link._state.db, link._state.adding = db, False
        vars(link).update(zip(field_names, values, strict=True))
        link.note_stored()
        return link

    def note_stored(self) -> None:
        """What the columns hold now is what is stored."""
        vars(self)[_STORED] = {**vars(self), _STORED: None}

    def changed_since_stored(self) -> set[str]:
        """The attributes of columns that hold something else than what was last stored, as far as we know."""
        now = vars(self)
        stored = now[_STORED]
        return {name for name in _WRITTEN if now[name] != stored[name]}

    def side(self, name: SideName) -> LinkSide:
        """The columns of one side."""
        return LinkSide(self, name)

    @staticmethod
    def in_step() -> Q:
        """The links whose item is the same on both sides, as far as we know."""
        both = Q(exchange_digest__isnull=False, nextcloud_digest__isnull=False)
        return both & Q(dirty=0, ignored=False, exchange_missing=None, nextcloud_missing=None)

    @property
    def half(self) -> SideName | None:
        """The only side on which this item ever was; None for a complete link."""
        for name in SideName:
            if self.side(name).known and not self.side(name.other).known:
                return name
        return None

    def try_anew(self) -> None:
        """Forget earlier tries: something came of the work on this item, or it is another one by now."""
        for name, value in self.ANEW.items():
            setattr(self, name, value)

    def let_go(self, name: SideName) -> None:
        """The object on one side is nobody's counterpart any more; what is across is looked at as if it were new."""
        self.side(name).forget()
        self.content, self.pairing_id, self.initial = None, None, False

    def mark(self, **values: Any) -> None:
        """Count one more thing that happened to this link (rule 20)."""
        Link.objects.filter(pk=self.pk).update(dirty=models.F("dirty") + 1, ignored=False, **values)


_WRITTEN = tuple(each.attname for each in Link._meta.concrete_fields if each.name not in _FIXED)
