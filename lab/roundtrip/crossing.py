"""Items put through the connector's sides: Nextcloud → Exchange → Nextcloud, and on to Exchange again.

What is done with an item here is what the engine does with one that it meets for the first time; what the engine would
write on a second look is asked of the engine itself.
"""

from __future__ import annotations

import secrets
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

from exchangelib import Account
from exchangelib.folders import BaseFolder

from lab.roundtrip.kinds import Judge, NotReadable, Reading, Shown
from lab.roundtrip.place import Place
from syncapp.engine.decide import View, decide
from syncapp.items import Item, Kind
from syncapp.items.elements import Element
from syncapp.items.fingerprint import Fingerprinter
from syncapp.nextcloud.codecs import CODECS
from syncapp.side import Creation, Object, Refused, Side, SideError, SideName, Unreadable, WriteResult, Written

_PRINTS = Fingerprinter(b"k" * 32, b"s" * 16)
_KINDS = {"events": Kind.EVENT, "contacts": Kind.CONTACT}
_T = TypeVar("_T")


@dataclass
class Crossing:
    """One item on its way. ``verdict`` is "" while it goes well, else unreadable, refused or crashed, with a reason."""

    file: str
    number: int
    text: bytes
    verdict: str = ""
    reason: str = ""
    trace: str = ""
    before: Reading | None = None
    after: Reading | None = None
    exchange: Reading | None = None
    exchange_again: Reading | None = None
    moments_equal: bool = True
    moments_differ: str = ""
    unstable: list[str] = field(default_factory=list)
    """What a second look would write, in words."""
    lost: list[str] | None = None
    """What an edit in Exchange of something else took away in Nextcloud; None where that was not tried."""
    item: Any = None
    folder: BaseFolder | None = None
    there: Object | None = None
    back: Object | None = None
    back_text: bytes = b""
    again: Object | None = None

    def fail(self, verdict: str, reason: str, trace: str = "") -> None:
        """It goes no further."""
        self.verdict, self.reason, self.trace = verdict, reason, trace


class Crossings:
    """Takes items over in batches, on one pair of servers."""

    def __init__(self, judge: Judge, place: Place) -> None:
        self._judge = judge
        self._place = place
        self._codec = CODECS[_KINDS[judge.kind]]
        self._exchange = place.exchange_side(_KINDS[judge.kind])
        self._nextcloud = place.nextcloud_side(_KINDS[judge.kind])
        self._account: Account = place.account
        self._collection = next(each.id for each in self._nextcloud.folders() if each.default)
        self._number = 0
        self._outward = self._new_folder()
        self._homeward = self._new_folder()

    def close(self) -> None:
        """Let go of connections."""
        self._exchange.close()
        self._nextcloud.close()

    def take(self, items: Sequence[Crossing]) -> None:
        """Put items through; what became of each stands in it."""
        for each in items:
            if not each.verdict:
                self._begin(each)
        for step in (self._to_exchange, self._to_nextcloud, self._to_exchange_again, self._look):
            self._step([each for each in items if not each.verdict], step)
        for each in items:
            if not each.verdict:
                self._guarded(each, self._compare)
        self._step([each for each in items if not each.verdict], self._edit_in_exchange)
        for each in items:
            each.item = each.there = each.back = each.again = None

    def _guarded(self, one: Crossing, work: Callable[[Crossing], None]) -> None:
        try:
            work(one)
        except Exception as error:
            one.fail("crashed", f"{type(error).__name__}: {error}", traceback.format_exc())

    def _begin(self, one: Crossing) -> None:
        try:
            one.before = self._judge.read(one.text)
        except NotReadable as error:
            one.fail("unreadable", str(error))
        self._guarded(one, self._parse)

    def _parse(self, one: Crossing) -> None:
        try:
            one.item = self._codec.parse(one.text).item
        except Unreadable as error:
            if not one.verdict:
                one.fail("refused", str(error))

    def _step(self, items: Sequence[Crossing], step: Callable[[Sequence[Crossing]], None]) -> None:
        """One step of several items; when it breaks, one by one, so that only the one that breaks it is to blame."""
        if not items:
            return
        try:
            step(items)
        except Exception as error:
            if len(items) == 1:
                items[0].fail("crashed", f"{type(error).__name__}: {error}", traceback.format_exc())
                return
            for each in items:
                self._step([each], step)

    # The way -----------------------------------------------------------------------------------------------------

    def _to_exchange(self, items: Sequence[Crossing]) -> None:
        for each in items:
            each.folder = self._new_folder() if self._judge.repeats(each.text) else self._outward
        folders = [each.folder.id for each in items if each.folder is not None]
        for one, found in self._written(self._exchange, items, [each.item for each in items], folders):
            one.there = found

    def _to_nextcloud(self, items: Sequence[Crossing]) -> None:
        wanted = [each.there.item for each in items if each.there is not None]
        for one, found in self._written(self._nextcloud, items, wanted, [self._collection] * len(items)):
            one.back = found
            one.back_text = self._place.text(found.id)

    def _to_exchange_again(self, items: Sequence[Crossing]) -> None:
        wanted = [each.back.item for each in items if each.back is not None]
        for one, found in self._written(self._exchange, items, wanted, [self._homeward.id] * len(items)):
            one.again = found

    def _written(
        self, side: Side, items: Sequence[Crossing], wanted: Sequence[Item], folders: Sequence[str]
    ) -> list[tuple[Crossing, Object]]:
        """Create items on a side and read them back."""
        creations = [
            Creation(secrets.token_hex(8), f"{secrets.token_hex(16)}@roundtrip", folder, item)
            for item, folder in zip(wanted, folders, strict=True)
        ]
        ids = {}
        for one, result in zip(items, side.create(creations), strict=True):
            if (problem := _problem(result)) is not None:
                _refuse(one, problem)
            elif isinstance(result, Written):
                ids[result.id] = one
        found = []
        for id, answer in side.read(list(ids)).items():
            one = ids.pop(id)
            if isinstance(answer, SideError):
                one.fail("crashed", f"What was written can't be read: {answer}")
            else:
                found.append((one, answer))
        for one in ids.values():
            one.fail("crashed", "What was written is not there.")
        return found

    def _new_folder(self) -> BaseFolder:
        self._number += 1
        stamp = f"{datetime.now(UTC):%H%M%S}-{secrets.token_hex(3)}"
        return self._judge.new_folder(self._account, f"Round trip {stamp} {self._number}")

    # The comparison ----------------------------------------------------------------------------------------------

    def _look(self, items: Sequence[Crossing]) -> None:
        """What Exchange says of the items, both times, with one request for all."""
        ids = [each.id for one in items for each in (one.there, one.again) if each is not None]
        found = self._judge.read_mailbox(self._account, ids)
        for one, there, again in zip(items, found[::2], found[1::2], strict=True):
            one.exchange, one.exchange_again = there, again

    def _compare(self, one: Crossing) -> None:
        assert one.there is not None
        assert one.back is not None
        assert one.again is not None
        one.after = self._judge.read(one.back_text)
        one.unstable = [
            *self._second_look(one.there.item, one.item),
            *self._second_look(one.there.item, one.back.item),
            *self._second_look(one.again.item, one.back.item),
        ]
        if self._judge.repeats(one.text):
            assert one.folder is not None
            before, after = self._judge.shown(one.text), self._judge.shown(one.back_text)
            view = self._judge.shown_in_mailbox(one.folder, before)
            one.moments_differ = _difference(before, after) or _difference(before, view)
            one.moments_equal = not one.moments_differ

    def _edit_in_exchange(self, items: Sequence[Crossing]) -> None:
        """Somebody edits one thing in Exchange: what the engine then makes of the text that was there first."""
        ids = [one.there.id for one in items if one.there is not None]
        if not self._judge.edit(self._account, ids):
            return
        edited = self._exchange.read(ids)
        for one in items:
            assert one.there is not None
            found = edited[one.there.id]
            if isinstance(found, SideError):
                one.fail("crashed", f"What was edited can't be read: {found}")
                continue
            views = {
                SideName.EXCHANGE: View(found.item, _PRINTS.item(one.there.item), self._exchange.project),
                SideName.NEXTCLOUD: View(one.item, _PRINTS.item(one.item), self._nextcloud.project),
            }
            write = decide(views, _PRINTS, winner=SideName.EXCHANGE).writes[SideName.NEXTCLOUD]
            patched = self._codec.patch(one.text, write.item, write.changed, datetime.now(UTC).replace(tzinfo=None))
            one.lost = self._judge.lost(one.text, bytes(patched))

    def _second_look(self, exchange: Item, nextcloud: Item) -> list[str]:
        """What the engine would write if it met both items anew, whoever wins what differs."""
        views = {
            SideName.EXCHANGE: View(exchange, {}, self._exchange.project),
            SideName.NEXTCLOUD: View(nextcloud, {}, self._nextcloud.project),
        }
        return sorted(
            {
                f"{'.'.join(element)} to {target}"
                for winner in SideName
                for target, write in decide(views, _PRINTS, winner=winner).writes.items()
                for element in _sorted(write.changed)
            }
        )


def _sorted(changed: frozenset[Element]) -> list[Element]:
    return sorted(changed)


def _problem(result: WriteResult) -> SideError | None:
    return result if isinstance(result, SideError) else result.problem


def _refuse(one: Crossing, problem: SideError) -> None:
    if isinstance(problem, Refused):
        one.fail("refused", str(problem))
    else:
        one.fail("crashed", f"{type(problem).__name__}: {problem}")


def _difference(before: Shown, after: Shown) -> str:
    """Where two expansions differ, "" where they don't; only the time that both looked at counts."""
    left, right = ({each for each in some.moments if _inside(each, after)} for some in (before, after))
    missing, added = sorted(left - right), sorted(right - left)
    if not missing and not added:
        return ""
    return f"{len(left)} moments, {len(missing)} missing {missing[:2]}, {len(added)} added {added[:2]}"


def _inside(moment: tuple[str, str], shown: Shown) -> bool:
    """Whether a moment begins well within one of the spans, whose edges are a matter of zones."""
    day = moment[0][:10]
    return any(f"{start:%Y-%m-%d}" < day < f"{end:%Y-%m-%d}" for start, end in shown.spans)
