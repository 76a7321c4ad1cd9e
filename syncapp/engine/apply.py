"""Apply: every write is three commits (rule 7): the intent and the history; the answer; what a read says became of it.

A batch makes these commits once, for updates and creates of both sides together, and both sides are written at the same
time. No request is made inside a transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from django.db.models import Q

from syncapp.engine import intents
from syncapp.engine.answers import OF_ONE_ITEM, complete, not_written, of_more
from syncapp.engine.case import Case
from syncapp.engine.decide import Decision, Delta, Write, moved
from syncapp.engine.guard import count_written
from syncapp.engine.keeping import Former, keep_history
from syncapp.engine.resolve import check
from syncapp.engine.work import Work, title_of
from syncapp.items.fingerprint import Base
from syncapp.models import History, Hold, Link, Sent
from syncapp.models.rows import Row, insert
from syncapp.side import AlreadyThere, Creation, Object, Side, SideError, SideName, Update, WriteResult, Written


def settle(work: Work, clean: Sequence[Case], held: Sequence[Case] = ()) -> None:
    """Store cases of which nothing more is to be done; newer dirt stays (rule 20).

    Of those that are ``held`` it stays open who wins.
    """
    cases = [*clean, *held]
    if not cases:
        return
    with work.commit():
        for case in cases:
            case.worked()
        for case in clean:
            case.link.prefer = ""
        work.journal.well(case.link for case in cases)
        Link.objects.put([case.link for case in cases])
        Link.objects.clean((case.link.pk, case.dirty) for case in cases)


def put_off(work: Work, cases: Sequence[Case]) -> None:
    """Store cases that have to wait for another pass; they stay dirty."""
    if not cases:
        return
    with work.commit():
        for case in cases:
            case.worked()
        Link.objects.put([case.link for case in cases])
    for case in cases:
        work.park(case.link)


# What is to be written -----------------------------------------------------------------------------------------------


@dataclass
class Updating:
    """A case whose object on one side is to be changed. ``why`` is why the winner of a conflict wins (``Ruling``)."""

    case: Case
    decision: Decision
    write: Write
    why: str


@dataclass
class Creating:
    """A case whose item is to be created on one side: what is sent, and the bases that this will make."""

    case: Case
    creation: Creation
    nonce: bytes
    pairing_id: int
    target: Mapping[bytes, bytes]
    source: Mapping[bytes, bytes]
    steps: frozenset[bytes]


@dataclass
class Writes:
    """What one side is to be told, and its answers: a result per item as far as they are known.

    ``error`` is what ended the requests early, or what an answer says that concerns more than its item. What was not
    sent any more because of it has no results.
    """

    name: SideName
    updates: Sequence[Updating] = ()
    creates: Sequence[Creating] = ()
    updated: Sequence[WriteResult] | None = None
    created: Sequence[WriteResult] | None = None
    error: SideError | None = None
    creates_begun: bool = False

    @property
    def cases(self) -> list[Case]:
        """All cases that are written."""
        return [*(update.case for update in self.updates), *(create.case for create in self.creates)]

    def send(self, side: Side) -> None:
        """Make the requests. Runs in a thread of its own: no models here, and no case is touched."""
        try:
            if self.updates:
                jobs = [Update(job.case.objects[self.name], job.write.item, job.write.changed) for job in self.updates]
                self.updated = side.update(jobs)
                self.error = of_more(self.updated)
            if self.creates and self.error is None:
                self.creates_begun = True
                self.created = side.create([job.creation for job in self.creates])
                self.error = of_more(self.created)
        except SideError as error:
            self.error = error


# The three commits ---------------------------------------------------------------------------------------------------


def write(work: Work, sides: Sequence[Writes]) -> None:
    """Change and create objects. Raises what concerns more than an item, after everything that is known was stored."""
    sides = [each for each in sides if each.cases]
    if not sides:
        return
    with work.commit():
        for each in sides:
            _begin(work, each)
    for each in sides:
        work.before_write(each.name, len(each.cases))
    work.at_once([partial(each.send, work.side(each.name)) for each in sides])
    answers = [_Answers(work, each) for each in sides]
    with work.commit():
        for answer in answers:
            answer.take()
    reading = [answer for answer in answers if answer.to_read]
    work.at_once([answer.read for answer in reading])
    if reading:
        with work.commit():
            for answer in reading:
                answer.refine()
    for answer in answers:
        answer.raise_first()


def _begin(work: Work, writes: Writes) -> None:
    name = writes.name
    for job in writes.updates:
        _begin_update(name, job)
    keep_history(work, [_former(name, job) for job in writes.updates])
    insert(Sent, [_sent(work, name, job) for job in writes.creates])
    for create in writes.creates:
        create.case.intent = intents.Create(name, create.nonce, create.creation.uid)
        create.case.side(name.other).take_revision(create.case.objects[name.other].revision)
    Link.objects.put([case.link for case in writes.cases])


def _begin_update(name: SideName, job: Updating) -> None:
    case, write = job.case, job.write
    for each in SideName:
        case.take(each, job.decision.bases[each])
    case.intent = intents.Change(name, write.target, write.source, write.before)


def _former(name: SideName, job: Updating) -> Former:
    lost = job.decision.lost_on(name)
    winner = name.other if lost else None
    reason = History.Reason.OVERWRITTEN
    return Former(job.case.key, name, job.case.objects[name], reason, job.write.changed, lost, winner)


def _sent(work: Work, name: SideName, job: Creating) -> Row:
    return {
        "enrollment_id": work.enrollment_id,
        "side": name,
        "key": job.case.key,
        "nonce": job.nonce,
        "hashes": Base(job.target).pack(),
        "source": Base(job.source).pack(),
        "whole": job.case.whole(name.other),
        "steps": [path.hex() for path in sorted(job.steps)],
        "at": work.journal.at,
    }


@dataclass
class _Answers:
    """The answers of one side: the second commit takes them, the third what a read says of the written objects."""

    work: Work
    writes: Writes
    to_read: list[Case] = field(default_factory=list)
    final: set[int] = field(default_factory=set)
    made: set[int] = field(default_factory=set)
    found: Mapping[str, Object | SideError] = field(default_factory=dict)
    read_error: SideError | None = None

    @property
    def name(self) -> SideName:
        return self.writes.name

    def take(self) -> None:
        """Commit what is known: after an error, the intents of what may have been done stay."""
        for job, result in zip(self.writes.updates, self.writes.updated or (), strict=self.writes.updated is not None):
            self._take_update(job, result)
        self._count()
        if self.writes.created is not None:
            self._take_creates(self.writes.created)
        elif not self.writes.creates_begun:
            for create in self.writes.creates:
                create.case.intent = None
        cases = self.writes.cases
        self.to_read = [case for case in cases if isinstance(case.intent, intents.Check)]
        settled = [case for case in cases if case.link.pk in self.final and case.intent is None]
        settled = [case for case in settled if case.side(self.name).whole is not None]
        self.work.journal.well(case.link for case in settled)
        Link.objects.put([case.link for case in cases])
        Link.objects.clean((case.link.pk, case.dirty) for case in settled)

    def _take_update(self, job: Updating, result: WriteResult) -> None:
        if not isinstance(result, Written):
            not_written(self.work, self.name, job.case, result)
            return
        _updated(self.work, self.name, job, result)
        if complete(result) and set(job.decision.writes) == {self.name}:
            self.final.add(job.case.link.pk)

    def _count(self) -> None:
        """The guard counts what was overwritten; what an admin decided about it is done."""
        done = [
            job.case
            for job, result in zip(self.writes.updates, self.writes.updated or (), strict=False)
            if isinstance(result, Written)
        ]
        count_written(self.work, self.name, Hold.Deed.UPDATE, done)
        if self.work.has_holds:
            decided = Q(side=self.name) | Q(side=self.name.other, state=Hold.State.REFUSED)
            Hold.objects.filter(decided, link__in=[case.link.pk for case in done]).delete()

    def _take_creates(self, results: Sequence[WriteResult]) -> None:
        linked: list[Creating] = []
        new = {job.case.link.pk for job in self.writes.creates if not job.case.side(self.name).known}
        for job, result in zip(self.writes.creates, results, strict=True):
            if isinstance(result, Written):
                _created(self.work, self.name, job, result)
                linked.append(job)
                if complete(result):
                    self.final.add(job.case.link.pk)
            elif isinstance(result, AlreadyThere):
                # Found by the next search, or nobody can say where it is: then another UID is chosen.
                job.case.link.fresh_uid = job.case.link.attempts > 1
                job.case.intent = None
            else:
                not_written(self.work, self.name, job.case, result)
        self.made = {job.case.link.pk for job in linked}
        count_written(self.work, self.name, Hold.Deed.CREATE, [job.case for job in linked if job.case.link.pk in new])
        Sent.objects.link((job.case.key, job.nonce) for job in linked)
        if self.work.has_holds:
            Hold.objects.filter(link__in=self.made).delete()

    def read(self) -> None:
        """Read what was written. Runs in a thread of its own, as ``Writes.send``."""
        try:
            self.found = self.work.side(self.name).read([case.side(self.name).id for case in self.to_read])
        except SideError as error:
            self.read_error = error

    def refine(self) -> None:
        """What the side made of what it was given becomes the base, if the read speaks of our write (rule 8)."""
        if self.read_error is not None:
            return
        clean: list[tuple[int, int]] = []
        for case in self.to_read:
            if self._refined(case) and case.link.pk in self.final and case.side(self.name).whole is not None:
                # Without a whole, something on this side waits to travel.
                case.link.prefer = ""
                self.work.journal.well([case.link])
                clean.append((case.link.pk, case.dirty))
        Link.objects.put([case.link for case in self.to_read])
        Link.objects.clean(clean)

    def _refined(self, case: Case) -> bool:
        name, intent = self.name, case.intent
        assert isinstance(intent, intents.Check)
        side = case.side(name)
        sent, found = bytes(side.base or b""), self.found.get(side.id)
        case.objects.pop(name, None)
        if isinstance(found, Object) and self.work.lives(name, found):
            case.objects[name] = found
            side.uid = found.uid or side.uid
        speaks = check(case, intent)
        if speaks and case.link.pk in self.made & self.final and side.base != sent and side.whole is not None:
            # What a server made of a new object is how a late copy of it will look (rule 11).
            Sent.objects.filter(key=case.key, nonce=side.nonce).update(hashes=side.base)
        return speaks

    def raise_first(self) -> None:
        """Raise what concerns more than one item."""
        error = self.writes.error or self.read_error
        if error is not None:
            raise error


# What an answer means for its link -----------------------------------------------------------------------------------


def _updated(work: Work, name: SideName, job: Updating, result: Written) -> None:
    case, write = job.case, job.write
    skipped = {case.prints.path(each) for each in result.unwritten}
    open_paths = _open(case, name, write)
    _advance(case, name, write.target, skipped)
    _advance(case, name.other, write.source, skipped)
    steps = frozenset(case.prints.path(each) for each in write.changed if each[0] in work.side(name).steps)
    _answered(case, name, result, open_paths, steps or None)
    work.journal.note("updated", case.link, name, write.changed, count="updated")
    _tell_conflicts(work, name, job)
    _unwritten(work, name, case, result)


def _tell_conflicts(work: Work, name: SideName, job: Updating) -> None:
    """Say what won over what stood on this side, and why."""
    if lost := job.decision.lost_on(name):
        why = job.why if name.other is job.decision.winner else "filled"
        code = "differed" if job.decision.first_contact else "conflict"
        work.journal.note(code, job.case.link, name, lost, note=f"{name.other} {why} {work.kind}")


def _open(case: Case, name: SideName, write: Write) -> frozenset[bytes]:
    """What had changed on this side before our write and was no part of it: it still has to travel."""
    base, now = case.base(name), case.hashes(name)
    changed = {path for path in base.keys() | now.keys() if base.get(path) != now.get(path)}
    return frozenset(changed - write.target.keys())


def _advance(case: Case, name: SideName, delta: Delta, skipped: Collection[bytes]) -> None:
    base = moved(case.base(name), {path: value for path, value in delta.items() if path not in skipped})
    case.take(name, base)


def _created(work: Work, name: SideName, job: Creating, result: Written) -> None:
    case, link = job.case, job.case.link
    skipped = {case.prints.path(each) for each in result.unwritten}
    there = case.side(name)
    there.id, there.uid, there.nonce, there.pairing_id = result.id, job.creation.uid, job.nonce, job.pairing_id
    there.missing, there.lost, there.earlier, there.revision = None, False, b"", ""
    there.base = Base({path: value for path, value in job.target.items() if path not in skipped}).pack()
    case.take(name.other, {path: value for path, value in job.source.items() if path not in skipped})
    link.pairing_id, link.fresh_uid, link.initial, link.content = job.pairing_id, False, False, None
    _answered(case, name, result, frozenset(), job.steps or None)
    if result.whole is not None and complete(result):
        # The answer says what a read would say: the base is what was sent, and there is nothing to read back.
        case.intent, there.whole, link.prefer = None, work.content_digest(result.whole), ""
    work.journal.note("created", link, name, note=case.again, count="created")
    _unwritten(work, name, case, result)


def _answered(
    case: Case, name: SideName, result: Written, open_paths: frozenset[bytes], only: frozenset[bytes] | None
) -> None:
    side = case.side(name)
    side.id, side.whole = result.id, None
    if result.revision:
        side.take_revision(result.revision)
    case.intent = intents.Check(name, result.revision, open_paths, only) if result.revision else None
    if not result.revision:
        # No read will prove to speak of this write: what reads differently may be no more than the server's version of
        # what we sent, and loses to what its source says since (rules 8, 17).
        case.link.prefer = name.other.value
    if result.problem is None:
        case.worked()


def _unwritten(work: Work, name: SideName, case: Case, result: Written) -> None:
    """A step failed after the object was written: it is finished in the same direction, later."""
    if result.problem is not None:
        item = next(iter(case.objects.values())).item
        if isinstance(result.problem, OF_ONE_ITEM):
            work.journal.fail(case.link, "unwritten", str(result.problem), label=title_of(item), side=name)
        work.failed(case.link, minutes=1)
