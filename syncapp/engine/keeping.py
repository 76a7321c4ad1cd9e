"""Keep what we are about to overwrite or delete: history, and what stays of a link that ends."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from django.conf import settings

from syncapp.engine.work import Work, label_of
from syncapp.items.elements import Element
from syncapp.models import History, Link, Tomb
from syncapp.side import Object, SideName


@dataclass(frozen=True)
class Former:
    """A native object that is about to be overwritten or deleted, and why.

    ``key`` is that of its link. ``overwritten`` are the elements that change, ``conflicts`` those of them that both
    sides had changed, ``winner`` the side whose version of these stands.
    """

    key: bytes
    name: SideName
    object: Object
    reason: History.Reason
    overwritten: Collection[Element] = ()
    conflicts: Collection[Element] = ()
    winner: SideName | None = None


_RENEWED = ("reason", "fields", "conflicts", "winner", "run_id", "at")
"""What is said anew of an object that is in history already: it is kept from its last overwriting on."""


def keep_history(work: Work, objects: Iterable[Former]) -> None:
    """Store native objects as they are now, each once however often it is tried (rule 15). In a transaction.

    With HISTORY_DAYS=0 nothing is stored of them; but what lay changed in a bin leaves a mark, by which it is known
    when a server alters what it bins (rule 13).
    """
    wanted = [each for each in objects if settings.HISTORY_DAYS or each.reason is History.Reason.IN_BIN]
    rows = {(each.key, each.name, work.whole(each.object)): each for each in wanted}
    History.objects.bulk_create(
        [_row(work, each, fingerprint) for (_, _, fingerprint), each in rows.items()],
        update_conflicts=True,
        unique_fields=["key", "side", "fingerprint"],
        update_fields=_RENEWED,
    )


def _row(work: Work, former: Former, fingerprint: bytes) -> History:
    keeps, found = bool(settings.HISTORY_DAYS), former.object
    return History(
        enrollment_id=work.enrollment_id,
        pairing=work.pairing_of(former.name, found.folder),
        key=former.key,
        kind=work.kind,
        side=former.name,
        uid=found.uid if keeps else "",
        reason=former.reason,
        fingerprint=fingerprint,
        content=History.sealed(work.side(former.name).pack(found.source)) if keeps else b"",
        label=label_of(found.item) if keeps else "",
        fields=_names(former.overwritten),
        conflicts=_names(former.conflicts),
        winner=former.winner or "",
        run_id=work.journal.run.pk,
        at=work.journal.at,
    )


def _names(elements: Iterable[Element]) -> str:
    return " ".join(sorted({path[0] for path in elements}))


def bury(work: Work, links: Sequence[Link]) -> None:
    """End links; a tomb stays of each that was complete. In a transaction."""
    tombs = [
        Tomb(
            enrollment_id=link.enrollment_id,
            pairing_id=link.pairing_id,
            kind=link.kind,
            key=link.key,
            exchange_digest=link.exchange_digest,
            nextcloud_digest=link.nextcloud_digest,
            at=work.journal.at,
        )
        for link in links
        if link.half is None
    ]
    Tomb.objects.bulk_create(tombs, ignore_conflicts=True)
    Link.objects.filter(pk__in=[link.pk for link in links]).delete()
