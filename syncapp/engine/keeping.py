"""Keep what we are about to overwrite or delete: history, and what stays of a link that ends."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from syncapp.engine.work import Work
from syncapp.items.elements import Element
from syncapp.models import History, Link, Tomb
from syncapp.side import Object, SideName


def keep_history(
    work: Work,
    key: bytes,
    name: SideName,
    objects: Iterable[Object],
    reason: History.Reason,
    conflicts: Collection[Element] = (),
) -> None:
    """Store native objects as they are now, each once however often it is tried (rule 15). In a transaction."""
    rows = [
        History(
            enrollment_id=work.enrollment_id,
            key=key,
            kind=work.kind,
            side=name,
            reason=reason,
            fingerprint=work.whole(each),
            content=History.sealed(work.side(name).pack(each.source)),
            fields=" ".join(sorted({path[0] for path in conflicts})),
            at=work.journal.at,
        )
        for each in objects
    ]
    History.objects.bulk_create(rows, ignore_conflicts=True)


def bury(work: Work, links: Sequence[Link], deleted_on: SideName | None = None) -> None:
    """End links; a tomb stays of each that was complete. In a transaction.

    ``deleted_on`` is the side on which we deleted the object; the guard counts these.
    """
    tombs = [
        Tomb(
            enrollment_id=link.enrollment_id,
            pairing_id=link.pairing_id,
            kind=link.kind,
            key=link.key,
            exchange_digest=link.exchange_digest,
            nextcloud_digest=link.nextcloud_digest,
            deleted_on=deleted_on or "",
            at=work.journal.at,
        )
        for link in links
        if link.half is None
    ]
    Tomb.objects.bulk_create(tombs, ignore_conflicts=True)
    Link.objects.filter(pk__in=[link.pk for link in links]).delete()
