"""What pages read. Each function is a fixed number of queries, stated in its docstring, however many rows there are."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from django.core.cache import cache
from django.core.paginator import Page, Paginator
from django.db.models import Count, F, Max, Min, Q, QuerySet, Sum, Window
from django.db.models.functions import RowNumber
from django.utils import timezone

from adminui.health import STALE_AFTER, Facts
from syncapp.jobs import places
from syncapp.models import Enrollment, Heartbeat, Hold, Link, Problem, Run, ServiceAccount, Transition
from syncapp.side import SideName

USERS_PER_PAGE = 50
RUNS_PER_PAGE = 20
LINES_PER_PAGE = 200
# How many rows a summary shows before it says how many more there are.
SHORT_LIST = 20
EXAMPLES_PER_PROBLEM = 5

_State = Enrollment.State


def facts(now: dt.datetime) -> Facts:
    """What the verdict rests on. Four queries."""
    active = Q(state=_State.ACTIVE)
    counted = Enrollment.objects.aggregate(
        users=Count("pk"),
        active=Count("pk", filter=active),
        waiting=Count("pk", filter=Q(state=_State.WAITING) | Q(state=_State.PREVIEW, preview__isnull=False)),
        held=Count("pk", filter=Q(state=_State.HELD)),
        # A first sync may take long; it is counted below.
        stale=Count("pk", filter=active & Q(first_sync_done_at__isnull=False, last_success__lt=now - STALE_AFTER)),
        first_syncs=Count("pk", filter=active & Q(first_sync_done_at__isnull=True)),
        next_due_at=Min("due_at", filter=active),
    )
    problems = dict(Problem.objects.exclude(link__ignored=True).values_list("actor").annotate(count=Count("pk")))
    beats = Heartbeat.objects.aggregate(
        dispatcher=Max("at", filter=Q(name=places.DISPATCHER)),
        worker=Max("at", filter=Q(name__startswith=places.WORKER_PREFIX)),
    )
    return Facts(
        heartbeat_at=None if None in beats.values() else min(beats.values()),
        accounts=ServiceAccount.objects.filter(enabled=True).count(),
        admin_problems=problems.get(Problem.Actor.ADMIN, 0),
        user_problems=problems.get(Problem.Actor.USER, 0),
        self_healing_problems=problems.get(Problem.Actor.NOBODY, 0),
        **counted,
    )


# Runs ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Progress:
    """How far a run is. Items done and still to do, as far as the run knows."""

    run: Run
    done: int
    total: int

    @classmethod
    def of(cls, run: Run) -> Progress:
        """Read the counts of a run."""
        done = run.created + run.updated + run.deleted + run.adopted + run.held + run.failed
        return cls(run, done, done + run.pending)


def running() -> list[Progress]:
    """Runs under way, the oldest first, at most ``SHORT_LIST``. One query."""
    runs = Run.objects.filter(finished_at__isnull=True).select_related("enrollment").order_by("started_at", "pk")
    return [Progress.of(run) for run in runs[:SHORT_LIST]]


def start_of_today() -> dt.datetime:
    """Midnight in the time zone of the pages."""
    return timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)


_MOVED = Sum(F("created") + F("updated") + F("deleted"))


def moved_since(start: dt.datetime, enrollments: Iterable[int]) -> dict[int, int]:
    """By enrollment: how many items its runs since ``start`` created, updated or deleted. One query."""
    rows = Run.objects.filter(started_at__gte=start, enrollment__in=list(enrollments))
    return dict(rows.values_list("enrollment").annotate(moved=_MOVED))


# Items -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ItemCount:
    """The items of an enrollment, or of all: how many take part, and how many are the same on both sides."""

    total: int = 0
    in_step: int = 0


_AT_REST = Q(dirty=0, intent__isnull=True, has_problem=False)
_AGREED = Q(exchange_base__isnull=False, nextcloud_base__isnull=False)
_IN_STEP = Count("pk", filter=_AT_REST & _AGREED)
# What rests without an agreement is left out on purpose: an event outside the window of the first load.
_TOTAL = Count("pk", filter=~_AT_REST | _AGREED)


def item_counts(enrollments: Iterable[int]) -> dict[int, ItemCount]:
    """By enrollment: its items. One query."""
    rows = Link.objects.filter(enrollment__in=list(enrollments)).values_list("enrollment")
    return {pk: ItemCount(total, same) for pk, total, same in rows.annotate(total=_TOTAL, same=_IN_STEP)}


_TOTALS_KEY = "adminui.totals"
_TOTALS_SECONDS = 10


@dataclass(frozen=True)
class Totals:
    """The whole installation in three numbers."""

    items: ItemCount
    moved_today: int


def totals() -> Totals:
    """Items and what moved today, over everybody: as of now, or some seconds ago. At most two queries.

    These are the only reads that grow with all items, and open pages ask every few seconds.
    """
    found = cache.get(_TOTALS_KEY)
    if not isinstance(found, Totals):
        found = _read_totals()
        cache.set(_TOTALS_KEY, found, _TOTALS_SECONDS)
    return found


def _read_totals() -> Totals:
    moved = Run.objects.filter(started_at__gte=start_of_today()).aggregate(moved=_MOVED)["moved"]
    items = Link.objects.aggregate(total=_TOTAL, in_step=_IN_STEP)
    return Totals(ItemCount(**items), moved or 0)


# Held writes -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class HeldGroup:
    """Writes of an enrollment that wait for one decision. ``newest`` bounds what the admin has seen."""

    kind: str
    side: str
    reason: str
    count: int
    newest: int

    @property
    def other_side(self) -> str:
        """Where the items are gone, new or changed already."""
        return SideName(self.side).other.value

    @property
    def deed(self) -> str:
        """What would be done on ``side``."""
        return Hold.DEEDS[Hold.Reason(self.reason)].value


def held_groups(enrollment: Enrollment) -> list[HeldGroup]:
    """What the guard held, by kind, side and reason. One query."""
    waiting = Hold.objects.filter(enrollment=enrollment, state=Hold.State.WAITING)
    rows = waiting.values_list("pairing__kind", "side", "reason").annotate(count=Count("pk"), newest=Max("pk"))
    return [HeldGroup(*row) for row in rows.order_by("pairing__kind", "side", "reason")]


# Problems --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ProblemGroup:
    """One reason, however often it occurs; ``examples`` are its most recent occurrences.

    ``ignored`` of them are left alone because somebody wants it so.
    """

    code: str
    level: str
    actor: str
    text: str
    remedy: str
    count: int
    users: int
    last_seen: dt.datetime
    ignored: int = 0
    examples: Sequence[Problem] = field(default=())

    @property
    def places(self) -> list[Problem]:
        """One example for each user or account among the examples."""
        return list({(each.enrollment_id, each.account_id): each for each in self.examples}.values())

    @property
    def more_places(self) -> int:
        """Users that are concerned and not among ``places``."""
        return max(0, self.users - len(self.places))


_ACTOR_ORDER: dict[str, int] = {Problem.Actor.ADMIN: 0, Problem.Actor.USER: 1, Problem.Actor.NOBODY: 2}
_LEVEL_ORDER: dict[str, int] = {
    Problem.Level.INSTALLATION: 0,
    Problem.Level.ACCOUNT: 1,
    Problem.Level.ENROLLMENT: 2,
    Problem.Level.ITEM: 3,
}


def problem_groups(problems: QuerySet[Problem] | None = None) -> list[ProblemGroup]:
    """Problems by reason: those that an admin must solve first, then those that affect most. Two queries."""
    found = Problem.objects.all() if problems is None else problems
    reason = ("code", "level", "actor")
    examples: dict[tuple[str, ...], list[Problem]] = defaultdict(list)
    ranked = found.annotate(
        rank=Window(RowNumber(), partition_by=[F(name) for name in reason], order_by=[F("last_seen").desc(), F("pk")])
    )
    for problem in ranked.filter(rank__lte=EXAMPLES_PER_PROBLEM).select_related("enrollment", "account"):
        examples[problem.code, problem.level, problem.actor].append(problem)
    groups = []
    for row in found.values_list(*reason).annotate(
        count=Count("pk"),
        users=Count("enrollment", distinct=True),
        last_seen=Max("last_seen"),
        ignored=Count("pk", filter=Q(link__ignored=True)),
    ):
        code, level, actor, count, users, last_seen, ignored = row
        of_reason = examples.get((code, level, actor))
        if not of_reason:  # solved between the two queries
            continue
        newest = of_reason[0]
        told = (newest.text, newest.remedy, count, users, last_seen, ignored, of_reason)
        groups.append(ProblemGroup(code, level, actor, *told))
    return sorted(groups, key=lambda g: (_ACTOR_ORDER.get(g.actor, 9), _LEVEL_ORDER.get(g.level, 9), -g.count, g.code))


# Users -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class UserRow:
    """One line of the list of users."""

    enrollment: Enrollment
    items: ItemCount
    moved_today: int
    problems: int


def waiting() -> list[Enrollment]:
    """Enrollments that wait for approval, the oldest first, at most ``SHORT_LIST``. One query."""
    return list(Enrollment.objects.filter(state=_State.WAITING).order_by("created_at", "pk")[:SHORT_LIST])


@dataclass(frozen=True)
class UserPage:
    """One page of the list of users."""

    rows: list[UserRow]
    page: Page[Enrollment]


def user_page(number: str) -> UserPage:
    """Users in the order of their Nextcloud accounts; a number that is out of range gives the nearest. Five queries."""
    page = Paginator(Enrollment.objects.order_by("nextcloud_uid"), USERS_PER_PAGE).get_page(number)
    enrollments = list(page.object_list)
    return UserPage(user_rows(enrollments), page)


def user_rows(enrollments: Sequence[Enrollment]) -> list[UserRow]:
    """What the list says of each enrollment. Three queries."""
    pks = [enrollment.pk for enrollment in enrollments]
    items, moved = item_counts(pks), moved_since(start_of_today(), pks)
    problems = dict(Problem.objects.filter(enrollment__in=pks).values_list("enrollment").annotate(count=Count("pk")))
    return [
        UserRow(each, items.get(each.pk, ItemCount()), moved.get(each.pk, 0), problems.get(each.pk, 0))
        for each in enrollments
    ]


def life_of(enrollment: Enrollment) -> list[Transition]:
    """What happened to an enrollment, the newest first, at most ``SHORT_LIST``. One query."""
    return list(enrollment.transitions.order_by("-at", "-pk")[:SHORT_LIST])


def runs_of(enrollment: Enrollment, number: str) -> Page[Run]:
    """One page of an enrollment's runs, the newest first. Two queries."""
    runs = Run.objects.filter(enrollment=enrollment).order_by("-started_at", "-pk")
    return Paginator(runs, RUNS_PER_PAGE).get_page(number)
