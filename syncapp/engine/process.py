"""What becomes of each dirty link: merged, created, deleted, put back, moved, or left alone for now."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from syncapp.engine import apply
from syncapp.engine.answers import not_written
from syncapp.engine.apply import Creating, Updating, Writes
from syncapp.engine.case import Case
from syncapp.engine.decide import Decision, View, decide, first_copy
from syncapp.engine.delete import delete
from syncapp.engine.guard import Guard, Judgement
from syncapp.engine.keeping import bury
from syncapp.engine.match import relink
from syncapp.engine.overrule import overrule, stand_over
from syncapp.engine.read import begin, give_back, next_batch, read
from syncapp.engine.relocate import Target, move, restore
from syncapp.engine.resolve import attach, resolve
from syncapp.engine.search import Hits, search
from syncapp.engine.work import Work
from syncapp.items import Event
from syncapp.items.window import in_window
from syncapp.models import Link, Pairing, Sent
from syncapp.models.link import new_nonce, own_id
from syncapp.models.pairing import digest
from syncapp.side import Creation, Object, Refused, SideName, Throttled


def process(work: Work) -> bool:
    """Work through the dirty links until none can be moved on. Whether that was done within the time."""
    guard = Guard(work)
    worked = True
    while worked:
        worked = False
        # Who may kill us comes last: everybody else has been served then.
        for suspects in (False, True):
            last = 0
            while batch := next_batch(work, last, suspects=suspects):
                if work.out_of_time():
                    return False
                last, worked = batch[-1].pk, True
                begin(work, batch)
                guard.begin(batch)
                try:
                    _Batch(work, guard).run(batch)
                except Throttled:
                    give_back(work, batch)
                    raise
    return True


@dataclass
class _Batch:
    """One batch, sorted by what is to be done."""

    work: Work
    guard: Guard
    clean: list[Case] = field(default_factory=list)
    waiting: list[Case] = field(default_factory=list)
    ended: list[Case] = field(default_factory=list)
    merges: list[tuple[Case, Decision]] = field(default_factory=list)
    updates: dict[SideName, list[Updating]] = field(default_factory=lambda: defaultdict(list))
    moves: list[tuple[Case, Target]] = field(default_factory=list)
    creates: dict[SideName, list[Case]] = field(default_factory=lambda: defaultdict(list))
    absent: dict[SideName, list[Case]] = field(default_factory=lambda: defaultdict(list))
    deletes: dict[SideName, list[Case]] = field(default_factory=lambda: defaultdict(list))
    held: list[Case] = field(default_factory=list)
    freed: list[Case] = field(default_factory=list)

    def run(self, batch: Sequence[Link]) -> None:
        """Read, resolve what was begun, decide, guard and apply."""
        work = self.work
        for case in self._standing(resolve(work, read(work, batch))):
            self._sort(case)
        self._judge_merges()
        for name, cases in self.absent.items():
            self._judge_absences(name, cases)
        self._settle()
        creates = {name: self._searched(name, self._standing(self.creates[name])) for name in SideName}
        apply.write(work, [self._writes(name, creates[name]) for name in SideName])
        for name in SideName:
            delete(work, name, self._standing(self.deletes[name]))
        for case, target in self.moves:
            move(work, case, target)

    def _writes(self, name: SideName, creates: Sequence[Creating]) -> Writes:
        swallowed = self.work.swallowed
        return Writes(
            name,
            [job for job in self.updates[name] if job.case.link.pk not in swallowed],
            [job for job in creates if job.case.link.pk not in swallowed],
        )

    def _standing(self, cases: Sequence[Case]) -> list[Case]:
        """The cases whose link is still one: others of this batch may have turned out to be theirs."""
        return [case for case in cases if case.link.pk not in self.work.swallowed]

    def _settle(self) -> None:
        work = self.work
        for cases in (self.clean, self.waiting, self.ended, self.held, self.freed):
            cases[:] = self._standing(cases)
        if self.guard.changed:
            with work.commit():
                self.guard.store()
                Link.objects.put([case.link for case in self.freed])
        apply.settle(work, self.clean, self.held)
        apply.put_off(work, self.waiting)
        if self.ended:
            with work.commit():
                bury(work, [case.link for case in self.ended])

    # Sorting ---------------------------------------------------------------------------------------------------------

    def _sort(self, case: Case) -> None:
        alive = [name for name in SideName if name in case.objects]
        if len(alive) == 2:
            self._merge(case)
        elif not alive:
            self._end(case)
        elif case.side(alive[0].other).known:
            self.absent[alive[0].other].append(case)
        else:
            self._copy(case, alive[0])

    def _dated(self, case: Case) -> bool:
        """Whether every absence was noted before the start of the last complete pass (rule 1)."""
        noted = [case.side(name).missing for name in SideName if name not in case.objects and case.side(name).known]
        return all(missing is not None and missing < self.work.complete for missing in noted)

    def _end(self, case: Case) -> None:
        """Gone from wherever it was."""
        if case.link.half is not None or self._dated(case):
            self.ended.append(case)
        else:
            self.waiting.append(case)

    def _merge(self, case: Case) -> None:
        """Both sides hold it: the folder first, then the fields."""
        if (target := self._folder_target(case)) is not None:
            if self.work.vanished.get(target.pairing_id) is target.name:
                self.waiting.append(case)
            else:
                self.moves.append((case, target))
            return
        decision = self._decide(case)
        if decision.writes:
            self.merges.append((case, decision))
        else:
            self._agree(case, decision)

    def _decide(self, case: Case) -> Decision:
        views = {
            name: View(case.objects[name].item, case.base(name), self.work.side(name).project) for name in SideName
        }
        winner, _why = case.ruling
        return decide(views, self.work.prints(case.key), winner=winner, source=case.source)

    def _agree(self, case: Case, decision: Decision) -> None:
        """Nothing has to be written."""
        self.guard.lapse(case)
        for name in SideName:
            case.take(name, decision.bases[name])
        case.link.recurring = any(
            isinstance(each.item, Event) and each.item.recurrence is not None for each in case.objects.values()
        )
        self.clean.append(case)

    def _judge_merges(self) -> None:
        """Which of the writes to objects that are there may be done."""
        self.guard.expect(self.merges)
        for case, decision in self.merges:
            self.guard.review(case, decision.writes)
            judgements = {name: self.guard.overwrite(case, name, write) for name, write in decision.writes.items()}
            refused = [name for name, each in judgements.items() if each is Judgement.REFUSED]
            if refused:
                self._undo_overwrite(case, refused[0], decision)
                continue
            # One write at a time: the other side's turn comes when this one is done and read back.
            allowed = next((name for name, each in judgements.items() if each.goes), None)
            if allowed is None:
                self.held.append(case)
            else:
                case.asked = judgements[allowed] is Judgement.ASKED
                self._update(allowed, case, decision)

    def _update(self, name: SideName, case: Case, decision: Decision) -> None:
        self.updates[name].append(Updating(case, decision, decision.writes[name], case.ruling.why))

    def _undo_overwrite(self, case: Case, name: SideName, decision: Decision) -> None:
        """A write to side ``name`` that an admin refused: what stands there is put back across."""
        overrule(case, name, decision.writes[name])
        decision = self._decide(case)
        if name.other in decision.writes:
            case.asked = True
            self._update(name.other, case, decision)
        else:
            self._agree(case, decision)

    def _folder_target(self, case: Case) -> Target | None:
        """Which side's object has to move where, by the same rules as any field (rule 2)."""
        where = {name: case.side(name).pairing_id for name in SideName}
        exchange, nextcloud = where[SideName.EXCHANGE], where[SideName.NEXTCLOUD]
        assert exchange is not None
        assert nextcloud is not None
        if exchange == nextcloud:
            case.link.pairing_id = exchange
            return None
        moved = [name for name in SideName if where[name] != case.link.pairing_id]
        one = case.source is None and len(moved) == 1
        winner, why = (moved[0], "") if one else case.ruling
        pairing_id = where[winner]
        assert pairing_id is not None
        return Target(winner.other, pairing_id, why if len(moved) == 2 else "")

    def _copy(self, case: Case, source: SideName) -> None:
        """One side has it and the other never had: it is new, unless something speaks against that."""
        work, pairing = self.work, case.pairing
        assert pairing is not None
        if not work.listed or case.link.content is None:
            # What nobody has looked at yet may belong to an item that we know (syncapp/engine/match.py).
            self.waiting.append(case)
        elif case.link.returned and not self._may_return(case, source):
            return
        elif case.source is source.other or (case.link.initial and not self._inside_window(case, pairing, source)):
            case.side(source).take_revision(case.objects[source].revision)
            self.clean.append(case)
        else:
            self._judge_creation(case, source.other)

    def _may_return(self, case: Case, name: SideName) -> bool:
        """Whether something that was deleted and came back with a restored server shall stay (rule 22)."""
        judgement = self.guard.returned(case, name)
        if judgement is Judgement.REFUSED:
            case.link.returned = False
            self.guard.lapse(case)
            self.freed.append(case)
        elif judgement.goes:
            case.asked = True
            self.deletes[name].append(case)
        else:
            self.held.append(case)
        return not case.link.returned

    def _judge_creation(self, case: Case, name: SideName) -> None:
        """To be created on side ``name``, if its folder is there and nothing looks wrong."""
        judgement = self.guard.creation(case, name)
        case.asked = judgement is Judgement.ASKED
        if not judgement.goes:
            self.held.append(case)
        elif self._folder_vanished(case, name):
            self.waiting.append(case)
        else:
            self.creates[name].append(case)

    def _folder_vanished(self, case: Case, name: SideName) -> bool:
        return self.work.vanished.get(case.side(name.other).pairing_id or 0) is name

    def _inside_window(self, case: Case, pairing: Pairing, source: SideName) -> bool:
        item = case.objects[source].item
        if not isinstance(item, Event):
            return True
        now = self.work.clock.now()
        return in_window(item, now - timedelta(days=pairing.days_back), now + timedelta(days=pairing.days_ahead))

    # Absences --------------------------------------------------------------------------------------------------------

    def _judge_absences(self, name: SideName, cases: Sequence[Case]) -> None:
        """Objects that are gone from side ``name`` and alive across: delete there, or put back here."""
        dated = [case for case in cases if self._dated(case)]
        self.waiting += [case for case in cases if not self._dated(case)]
        if not dated:
            return
        hits = search(self.work, name, [(case.link, case.side(name).uid, True) for case in dated])
        look_alikes = self._look_alikes(name, dated)
        for case in dated:
            # Those of before that another link of this batch turned out to be are taken.
            alike = self._unswallowed(look_alikes.get(bytes(case.side(name).whole or b""), ()))
            if alike and not hits[case.link.pk].alive:
                with self.work.commit():
                    relink(self.work, case.link, alike[-1], name, None)
                continue
            found = hits[case.link.pk].alive
            if found:
                with self.work.commit():
                    attach(self.work, case.link, name, found[0])
                continue
            self._judge_absence(case, name)

    def _unswallowed(self, links: Iterable[Link]) -> list[Link]:
        return [link for link in links if link.pk not in self.work.swallowed]

    def _look_alikes(self, name: SideName, cases: Sequence[Case]) -> dict[bytes, list[Link]]:
        """New objects that are just what is missing: without UIDs, that is what a move looks like (rule 2)."""
        wholes = [whole for case in cases if (whole := case.side(name).whole) is not None]
        alike: dict[bytes, list[Link]] = defaultdict(list)
        new = self.work.links().filter(**{f"{name}_whole__in": wholes, f"{name}_missing": None, "returned": False})
        for link in new.filter(**{f"{name.other}_digest": None, f"{name.other}_missing": None}):
            alike[bytes(link.side(name).whole or b"")].append(link)
        return alike

    def _judge_absence(self, case: Case, name: SideName) -> None:
        there = name.other
        if case.source is name:
            unchanged = True
        elif case.source is there or case.side(name).lost:
            unchanged = False
        else:
            unchanged = self._as_agreed(case, there)
        if not unchanged:
            case.again = "one-way" if case.source is there else "lost" if case.side(name).lost else "edited"
            self._judge_creation(case, name)
            return
        judgement = self.guard.deletion(case, there)
        case.asked = judgement is Judgement.ASKED
        if judgement.goes:
            self.deletes[there].append(case)
        elif judgement is Judgement.REFUSED:
            self._undo_deletion(case, name)
        else:
            self.held.append(case)

    def _undo_deletion(self, case: Case, name: SideName) -> None:
        """A deletion that an admin refused: the object is put back, or stays a matter of its own side (rule 24)."""
        if case.source is name:
            case.link.let_go(name)
            self.guard.lapse(case)
            self.freed.append(case)
        elif self._folder_vanished(case, name):
            self.held.append(case)
        else:
            case.asked, case.side(name).lost, case.again = True, True, "refused"
            self.creates[name].append(case)

    def _as_agreed(self, case: Case, name: SideName) -> bool:
        """Whether the object on one side is, as a whole, what and where it was when both agreed (rule 5)."""
        side = case.side(name)
        if side.pairing_id != case.link.pairing_id:
            return False
        if side.whole is None:
            # Our own write, whose answer or read-back was lost: it holds no more than what was sent (rules 7, 10).
            return side.base is not None and case.hashes(name) == case.base(name)
        return bytes(side.whole) == case.whole(name)

    # Creates ---------------------------------------------------------------------------------------------------------

    def _searched(self, name: SideName, cases: Sequence[Case]) -> list[Creating]:
        """The creates that remain after a search on their side, right before they are sent (rule 12)."""
        cases = [case for case in cases if not self._impossible(name, case)]
        if not cases:
            return []
        uids = self._uids(name, cases)
        keys = [case.key for case in cases]
        sent = {bytes(key) for key in Sent.objects.filter(key__in=keys).values_list("key", flat=True)}
        asked = [case for case in cases if self._worth_a_search(name, case, case.key in sent)]
        hits = search(self.work, name, [(case.link, uids[case.link.pk], case.key in sent) for case in asked])
        jobs: list[Creating] = []
        for case in cases:
            if case.link.pk in self.work.swallowed:
                continue
            job = self._found_or_new(name, case, uids[case.link.pk], hits.get(case.link.pk, Hits()))
            if job is not None:
                jobs.append(job)
        return jobs

    def _impossible(self, name: SideName, case: Case) -> bool:
        """Whether it is known without asking that what failed before would fail again."""
        if not case.link.failures:
            return False
        side = self.work.side(name)
        item, _ = first_copy(case.objects[name.other].item, side.project, self.work.prints(case.key))
        try:
            side.check(item, case.side(name.other).uid)
        except Refused as problem:
            with self.work.commit():
                not_written(self.work, name, case, problem)
                Link.objects.put([case.link])
            return True
        return False

    def _worth_a_search(self, name: SideName, case: Case, tried: bool) -> bool:
        """Exchange takes the same item twice. A Nextcloud collection refuses a UID that it has, its bin included.

        There the first attempt is the search, and the objects of a first sync are not asked for one by one.
        """
        return name is SideName.EXCHANGE or tried or case.side(name).known or case.link.attempts > 1

    def _uids(self, name: SideName, cases: Sequence[Case]) -> dict[int, str]:
        """The UID that each new object shall have: one that no other link uses on that side (rule 18)."""
        wishes = {
            case.link.pk: "" if case.link.fresh_uid else case.side(name).uid or case.side(name.other).uid
            for case in cases
        }
        column = f"{name}_uid_digest"
        using = self.work.links().filter(**{f"{column}__in": [digest(uid) for uid in wishes.values() if uid]})
        # A half-link with this UID is no other item: the search finds its object, and the two become one.
        used = {link.side(name).uid: link.pk for link in using if link.half is None and link.side(name).there}
        for pk, uid in wishes.items():
            if not uid or used.setdefault(uid, pk) != pk:
                wishes[pk] = "" if name is SideName.EXCHANGE and not uid else str(uuid.uuid4())
        return wishes

    def _found_or_new(self, name: SideName, case: Case, uid: str, hits: Hits) -> Creating | None:
        pairing_id = case.side(name.other).pairing_id
        assert pairing_id is not None
        if hits.alive:
            with self.work.commit():
                attach(self.work, case.link, name, hits.alive[0])
            return None
        if hits.taken:
            uid = str(uuid.uuid4())
        elif hits.binned and not case.link.fresh_uid:
            self._unbin(name, case, hits.binned[-1].id, pairing_id)
            return None
        side, prints = self.work.side(name), self.work.prints(case.key)
        item, values = first_copy(case.objects[name.other].item, side.project, prints)
        paths = {each: prints.path(each) for each in values}
        target = {paths[each]: value for each, value in values.items()}
        nonce = new_nonce()
        creation = Creation(own_id(case.key, nonce), uid, self.work.pairings[pairing_id].folder(name), item)
        steps = frozenset(path for each, path in paths.items() if each[0] in side.steps)
        return Creating(case, creation, nonce, pairing_id, target, case.hashes(name.other), steps)

    def _unbin(self, name: SideName, case: Case, id: str, pairing_id: int) -> None:
        """Take out of the bin what is then written over; without a base there is nothing in it to be merged."""
        if case.side(name).base is None:
            found = self.work.side(name).read([id]).get(id)
            if isinstance(found, Object):
                stand_over(case, name, found)
        restore(self.work, name, case, id, pairing_id)
