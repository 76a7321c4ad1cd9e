"""What every step of a slice needs: one kind of items of one enrollment, its sides, its pairings, and how to commit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Q, QuerySet

from syncapp.engine.at_once import AtOnce, in_threads
from syncapp.engine.clock import Clock
from syncapp.engine.journal import Journal
from syncapp.engine.lease import Lease
from syncapp.engine.look import Looked
from syncapp.items import Event, Item, Kind
from syncapp.items.fingerprint import UNKNOWN, Base, Fingerprinter, Hashes
from syncapp.items.once import once
from syncapp.items.values import ZonedTime
from syncapp.models import Enrollment, Link, Pairing
from syncapp.models.link import LinkSide
from syncapp.models.statements import among
from syncapp.side import Found, Object, Side, SideName, SidesOf

BATCH = 100
"""Items per commit and per request."""

Due = tuple[str, list[object]]
"""See ``Work.due``."""

_DUE = """
SELECT {columns} FROM syncapp_link
WHERE enrollment_id = %s AND kind = %s AND dirty > 0 AND (not_before IS NULL OR not_before <= %s) AND id > %s
AND (exchange_pairing_id IN {stuck}) IS NOT TRUE AND (nextcloud_pairing_id IN {stuck}) IS NOT TRUE AND {where}
ORDER BY id LIMIT %s
"""
_CACHED_OBJECTS = 2000
_SECONDS_PER_ITEM = 2.0
_LONGEST_DELAY = 24 * 60


def title_of(item: Item) -> str:
    """What a person recognises an item by."""
    return item.title if isinstance(item, Event) else item.display_name


def label_of(item: Item) -> str:
    """What a person tells an item from others by: its title or name, and when an event begins."""
    if not isinstance(item, Event):
        return title_of(item)
    when = f"{item.start.wall:%Y-%m-%d %H:%M}" if isinstance(item.start, ZonedTime) else item.start.isoformat()
    return f"{item.title or '(no title)'}, {when}"


@dataclass
class Work:
    """One kind of items of one enrollment, for the length of a slice.

    ``passes`` numbers the collects; ``complete`` is the number of the last one that reached every pairing, 0 if none
    did in this slice. ``broken`` are pairings whose folder is not there on one side: nothing of theirs is touched.
    ``vanished`` are those whose folder has stayed away for so long that its items count as gone, and from which side.
    ``swallowed`` are half-links that became part of another link: what a batch still holds of them is void. ``looked``
    is what was seen before the slice; its first pass need not look again. ``slipped_away``: something new was gone
    before anybody had read it.
    """

    lease: Lease
    journal: Journal
    clock: Clock
    until: datetime
    kind: Kind
    sides: SidesOf
    pairings: dict[int, Pairing]
    base_key: bytes
    looked: Looked = field(default_factory=Looked)
    at_once: AtOnce = in_threads
    full: bool = False
    passes: int = 0
    complete: int = 0
    disabled: frozenset[int] = frozenset()
    broken: set[int] = field(default_factory=set)
    vanished: dict[int, SideName] = field(default_factory=dict)
    waiting: bool = False
    slipped_away: bool = False
    has_holds: bool = True
    cache: dict[tuple[SideName, str], Object] = field(default_factory=dict)
    rounds: Counter[int] = field(default_factory=Counter)
    swallowed: set[int] = field(default_factory=set)

    @property
    def enrollment_id(self) -> int:
        """Whose items these are."""
        return self.lease.enrollment_id

    def side(self, name: SideName) -> Side:
        """One of the two sides."""
        return self.sides.by_name[name]

    def prints(self, key: bytes) -> Fingerprinter:
        """The fingerprinter of the link with this key."""
        return Fingerprinter(self.base_key, bytes(key))

    def out_of_time(self) -> bool:
        """Whether the slice has to end before the next batch."""
        return self.clock.now() >= self.until

    # State -----------------------------------------------------------------------------------------------------------

    @contextmanager
    def commit(self) -> Iterator[None]:
        """A transaction that holds only under the lease, and takes the journal's lines along. Raises ``LeaseLost``.

        Nothing remote may be called inside.
        """
        with self.journal.transaction(), transaction.atomic():
            self.lease.hold()
            yield
            self.journal.flush()

    def before_write(self, name: SideName, items: int = 1) -> None:
        """Make the lease outlast the longest request, and a batch that goes on as servers do (rule 21)."""
        self.lease.outlast(self.side(name).request_seconds + items * _SECONDS_PER_ITEM)

    def begin_pass(self) -> None:
        """Number the collect that begins now."""
        with self.commit():
            Enrollment.objects.filter(pk=self.enrollment_id).update(passes=F("passes") + 1)
            self.passes = Enrollment.objects.values_list("passes", flat=True).get(pk=self.enrollment_id)

    def links(self) -> QuerySet[Link]:
        """The links of this kind."""
        return Link.objects.filter(enrollment_id=self.enrollment_id, kind=self.kind)

    def dirty(self) -> QuerySet[Link]:
        """The links that need work and whose pairings can be worked on."""
        dirty = self.links().filter(dirty__gt=0)
        stuck = self.disabled | self.broken
        if stuck:
            dirty = dirty.exclude(Q(exchange_pairing__in=stuck) | Q(nextcloud_pairing__in=stuck))
        return dirty

    def due(self, where: str, params: Sequence[object], *, after: int, limit: int, columns: str = "*") -> Due:
        """What ``dirty`` has after a row, if it is due and meets a condition, in order: a statement and its parameters.

        For what is asked for each batch.
        """
        stuck = sorted(self.disabled | self.broken)
        sql = _DUE.format(columns=columns, where=where, stuck=among(stuck))
        return sql, [self.enrollment_id, self.kind, self.clock.now(), after, *stuck, *stuck, *params, limit]

    @property
    def active(self) -> list[int]:
        """The pairings that can be worked on now."""
        return [pk for pk in self.pairings if pk not in self.broken]

    @property
    def listed(self) -> bool:
        """Whether every folder has been listed completely: nothing is created before (rule 19)."""
        return all(pairing.listed for pairing in self.pairings.values())

    def park(self, link: Link) -> None:
        """Leave a link alone until the next slice."""
        self.waiting = True
        self.rounds[link.pk] = 1_000

    # Folders ---------------------------------------------------------------------------------------------------------

    def pairing_of(self, name: SideName, folder: str) -> Pairing | None:
        """The pairing in whose folder an object stands; None for a folder that is not paired."""
        return next((each for each in self.pairings.values() if each.folder(name) == folder), None)

    def lives(self, name: SideName, found: Object | Found) -> bool:
        """Whether an object is alive where we look: not in the bin, and in a folder that is paired."""
        return not found.in_bin and self.pairing_of(name, found.folder) is not None

    # Fingerprints ----------------------------------------------------------------------------------------------------

    def base(self, side: LinkSide, read: Object) -> Hashes:
        """The base of one side, to compare ``read`` with.

        After an upgrade of a normal form, an object that is, as a whole, what it was when both sides agreed is
        fingerprinted afresh: nobody has changed it. Of any other one it is known only what there was, not how it was.
        """
        if side.base is None:
            return {}
        base = Base.unpack(bytes(side.base))
        if base.is_current:
            return base.hashes
        if side.whole is not None and bytes(side.whole) == self.whole(read):
            return self.prints(bytes(side.link.key)).item(read.item)
        return dict.fromkeys(base.hashes, UNKNOWN)

    def whole(self, found: Object) -> bytes:
        """The fingerprint of a whole native object (rule 5), alike for all links of the enrollment.

        A side without UIDs gives a moved object nothing else by which it is recognised.
        """
        return self.content_digest(found.whole)

    def content_digest(self, content: bytes) -> bytes:
        """A keyed digest by which the same content is recognised within the enrollment."""
        return self._of_enrollment.whole(content)

    @once
    def _of_enrollment(self) -> Fingerprinter:
        return Fingerprinter(self.base_key, self.enrollment_id.to_bytes(16, "big"))

    # Objects ---------------------------------------------------------------------------------------------------------

    def keep(self, name: SideName, read: Object) -> None:
        """Remember an object that was just read for the batch that will need it, within bounds."""
        if len(self.cache) < _CACHED_OBJECTS:
            self.cache[name, read.id] = read

    def retry_at(self, attempts: int) -> datetime | None:
        """When to try again what was begun so often and never ended: at once at first, then ever later."""
        return None if attempts < 2 else self._later(1, attempts - 2)

    def failed(self, link: Link, *, minutes: int = 8) -> None:
        """The work on an item has ended, in vain: the next try is after ``minutes`` at first, then ever later."""
        link.not_before = self._later(minutes, link.failures)
        link.failures, link.attempts = link.failures + 1, 0

    def _later(self, minutes: int, doublings: int) -> datetime:
        return self.clock.now() + timedelta(minutes=min(minutes * 2 ** min(doublings, 20), _LONGEST_DELAY))
