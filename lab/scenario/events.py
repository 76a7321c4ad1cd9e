"""Planned events: deterministic for a user and a day, most of them within the default window around that day."""

from __future__ import annotations

import calendar
import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from itertools import chain, count
from zoneinfo import ZoneInfo

from dateutil.relativedelta import relativedelta

from lab.scenario.people import DOMAIN, EVENTS_EACH, ZONES, LabUser
from lab.scenario.plans import WEEKDAYS, Busy, ChangedOccurrence, EventPlan, Moment, Placement, Privacy, Rule

TOPICS = (
    "Budget review", "Design critique", "Interview", "Customer call", "Release planning", "Team lunch", "Dentist",
    "Parents' evening", "Workshop", "Retrospective", "Contract talk", "Site visit", "Training", "Board meeting",
    "Piano lesson", "Car inspection", "Roadmap", "Code review", "Press briefing", "Yoga",
)  # fmt: skip
ABOUT = (
    "Alpha", "Brückenbau", "Café Central", "Delta", "Elbe", "Façade", "Gate 7", "Hafen", "Ikebana", "Jupiter",
    "Kyoto", "Lagoon", "Møller", "Nord", "Orchard", "Pier 39", "Quartz", "Río", "Sakura 桜", "Tower",
)  # fmt: skip
PLACES = (
    "",
    "Room 4.12",
    "Café Zoë, Marktplatz 3",
    "Online",
    "12 Main St, Springfield",
    "東京タワー",
    "Bürgerhaus; Saal 2",
)
TEXTS = (
    "",
    "Please bring the figures of the last quarter.",
    "Agenda:\n1. Where we are\n2. What is missing\n3. Who does what",
    "Dial in: +49 30 1234567, code 4711#\nNotes follow afterwards.",
    "Grüße, naïve café — and a long sentence that has to be folded somewhere, because it goes on and on and on.",
    "Back\\slash, comma, semicolon; all survive.",
)
CATEGORIES = ("Work", "Family", "Travel", "Important", "Sport")
REMINDERS = (None, 5, 10, 15, 30, 60, 120)
LAST_DAY_BEHIND, LAST_DAY_AHEAD = 24, 350


def plan_events(user: LabUser, today: date) -> list[EventPlan]:
    """All events of a user: single, all-day, over several days, and series with changes, in three zones."""
    maker = _Maker(user, today)
    plans = [
        *(maker.single() for _ in range(46)),
        *(maker.all_day() for _ in range(12)),
        *(maker.days() for _ in range(8)),
        *(maker.overnight() for _ in range(6)),
        *(maker.daily() for _ in range(6)),
        *(maker.weekly() for _ in range(13)),
        *(maker.monthly() for _ in range(7)),
        *(maker.yearly() for _ in range(5)),
        *(maker.out_of_window() for _ in range(7)),
    ]
    assert len(plans) == EVENTS_EACH
    return [replace(plan, placement=placement) for plan, placement in zip(plans, _placements(), strict=False)]


def plan_mix(user: LabUser, today: date, number: int) -> list[EventPlan]:
    """``number`` events of which a quarter are series, 40 % of these with exceptions; all within the default window."""
    maker = _Maker(user, today)
    series = (maker.daily, maker.weekly, maker.weekly, maker.monthly, maker.yearly)
    others = (maker.single, maker.single, maker.single, maker.all_day, maker.days, maker.overnight)
    plans = []
    made = count()
    for at in range(number):
        if at % 8 not in (0, 5):  # one of either parity: placements go by that
            plans.append(others[at % len(others)]())
            continue
        which = next(made)
        plan = series[which % len(series)]()
        plans.append(plan if which % 7 in (1, 3, 4) else replace(plan, changed=(), deleted=()))
    return [replace(plan, placement=placement) for plan, placement in zip(plans, _placements(), strict=False)]


def _placements() -> Iterator[Placement]:
    """A tenth on both sides (half of it with other UIDs), the rest on one side or the other."""
    for number in count():
        if number % 20 == 7:
            yield Placement.BOTH
        elif number % 20 == 13:
            yield Placement.TWIN
        else:
            yield Placement.EXCHANGE if number % 2 else Placement.NEXTCLOUD


class _Maker:
    def __init__(self, user: LabUser, today: date) -> None:
        self._user = user
        self._today = today
        # The same data on every machine and in every run of that day.
        self._random = random.Random(f"events of {user.email}")
        self._titles = self._title_sequence()
        self._numbers = count(1)

    def _title_sequence(self) -> Iterator[str]:
        titles = [f"{topic} {about}" for topic in TOPICS for about in ABOUT]
        self._random.shuffle(titles)
        return chain(titles, (f"{title} ({number})" for number in count(2) for title in titles))

    def _plan(self, start: Moment, end: Moment, rule: Rule | None = None) -> EventPlan:
        all_day = not isinstance(start, datetime)
        pick = self._random.choice
        busy: Busy = pick(("free", "free", "busy")) if all_day else pick(("busy", "busy", "busy", "tentative", "oof"))
        privacy: Privacy = pick(("normal", "normal", "normal", "normal", "private", "confidential"))
        return EventPlan(
            uid=f"{next(self._numbers):04d}-{self._random.getrandbits(64):016x}@{DOMAIN}",
            title=next(self._titles),
            start=start,
            end=end,
            location=pick(PLACES),
            description=pick(TEXTS),
            html=self._random.random() < 0.2,
            reminder=pick((None, None, 900)) if all_day else pick(REMINDERS),
            categories=tuple(sorted(self._random.sample(CATEGORIES, pick((0, 0, 1, 2))))),
            busy=busy,
            privacy=privacy,
            rule=rule,
        )

    def _day(self) -> date:
        return self._today + timedelta(days=self._random.randint(-LAST_DAY_BEHIND, LAST_DAY_AHEAD))

    def _zone(self) -> ZoneInfo:
        return ZoneInfo(self._random.choice((self._user.zone, self._user.zone, *ZONES)))

    def _at(self, day: date, zone: ZoneInfo | None = None) -> datetime:
        clock = time(self._random.randint(7, 19), self._random.choice((0, 15, 30, 45)))
        return datetime.combine(day, clock, zone or self._zone())

    def _length(self) -> timedelta:
        return timedelta(minutes=self._random.choice((15, 30, 45, 60, 60, 90, 120, 240)))

    def single(self) -> EventPlan:
        start = self._at(self._day())
        return self._plan(start, start + self._length())

    def all_day(self) -> EventPlan:
        day = self._day()
        return self._plan(day, day + timedelta(days=1))

    def days(self) -> EventPlan:
        day = self._day()
        return self._plan(day, day + timedelta(days=self._random.randint(2, 6)))

    def overnight(self) -> EventPlan:
        start = self._at(self._day())
        # Wall time and zone arithmetic: also across a change of the clocks it ends when the clock says so.
        return self._plan(start, start + timedelta(days=self._random.randint(1, 3), hours=3))

    def daily(self) -> EventPlan:
        start = self._at(self._day())
        rule = Rule("daily", self._random.choice((1, 1, 2, 3)), count=self._random.randint(5, 20))
        return self._with_exceptions(self._plan(start, start + self._length(), rule))

    def weekly(self) -> EventPlan:
        """Weekly series begin up to half a year ago, and go on across the changes of the clocks."""
        day = self._today + timedelta(days=self._random.randint(-180, 60))
        weekday = WEEKDAYS[day.weekday()]
        interval = self._random.choice((1, 1, 1, 2))
        weekdays = {weekday}
        if interval == 1 and self._random.random() < 0.3:
            weekdays.add(self._random.choice(WEEKDAYS[:5]))
        ordered = tuple(name for name in WEEKDAYS if name in weekdays)
        end = self._random.choice(("never", "count", "until"))
        rule = Rule(
            "weekly",
            interval,
            ordered,
            count=40 if end == "count" else None,
            until=day + timedelta(weeks=40) if end == "until" else None,
        )
        if self._random.random() < 0.2:
            return self._with_exceptions(self._plan(day, day + timedelta(days=1), rule))
        start = self._at(day)
        return self._with_exceptions(self._plan(start, start + self._length(), rule))

    def monthly(self) -> EventPlan:
        month = self._today.replace(day=1) + relativedelta(months=self._random.randint(-5, 2))
        if self._random.random() < 0.5:
            rule = Rule("monthly", self._random.choice((1, 1, 2)), count=self._random.randint(6, 12))
            day = month.replace(day=self._random.randint(1, 28))
        else:
            weekday = self._random.choice(WEEKDAYS[:5])
            ordinal = self._random.choice((1, 2, 3, 4, -1))
            rule = Rule("monthly", 1, (weekday,), ordinal, count=self._random.choice((None, 10)))
            day = _nth_weekday(month, weekday, ordinal)
        start = self._at(day)
        return self._with_exceptions(self._plan(start, start + self._length(), rule))

    def yearly(self) -> EventPlan:
        day = self._day()
        day = day.replace(year=day.year - self._random.randint(1, 10), day=min(day.day, 28))
        rule = Rule("yearly", count=self._random.choice((None, 20)))
        return self._plan(day, day + timedelta(days=1), rule)

    def out_of_window(self) -> EventPlan:
        """Single events that the first sync leaves where they are."""
        behind = self._random.random() < 0.7
        distance = self._random.randint(60, 600) if behind else self._random.randint(400, 700)
        start = self._at(self._today + timedelta(days=-distance if behind else distance))
        return self._plan(start, start + self._length())

    def _with_exceptions(self, plan: EventPlan) -> EventPlan:
        """Delete one occurrence of most series, move another, and rename a third."""
        starts = _first_starts(plan, 8)
        if len(starts) < 5 or self._random.random() < 0.15:
            return plan
        deleted, moved, renamed = self._random.sample(starts[1:], 3)
        shift = timedelta(days=0) if plan.all_day else timedelta(hours=self._random.choice((1, 2)))
        length = plan.length
        changed = [ChangedOccurrence(renamed, renamed, renamed + length, f"{plan.title} (with guests)", "Large hall")]
        if not plan.all_day:
            text = "Moved: the room was taken."
            changed.append(ChangedOccurrence(moved, moved + shift, moved + shift + length, description=text))
        return replace(plan, changed=tuple(changed), deleted=(deleted,))


def _nth_weekday(month: date, weekday: str, ordinal: int) -> date:
    days = [
        day
        for day in range(1, calendar.monthrange(month.year, month.month)[1] + 1)
        if WEEKDAYS[month.replace(day=day).weekday()] == weekday
    ]
    return month.replace(day=days[ordinal if ordinal < 0 else ordinal - 1])


def _first_starts(plan: EventPlan, number: int) -> list[Moment]:
    """The starts of the first occurrences of a series, in the wall time of its zone."""
    rule = plan.rule
    assert rule is not None
    starts: list[Moment] = []
    limit = min(number, rule.count or number)
    for step in count():
        for start in _candidates(plan, rule, step):
            day = start.date() if isinstance(start, datetime) else start
            if len(starts) == limit or (rule.until and day > rule.until):
                return starts
            if start >= plan.start:
                starts.append(start)
    return starts


def _candidates(plan: EventPlan, rule: Rule, step: int) -> list[Moment]:
    distance = step * rule.interval
    match rule.frequency:
        case "daily":
            return [plan.start + timedelta(days=distance)]
        case "weekly":
            monday = plan.start - timedelta(days=plan.start.weekday())
            offsets = [WEEKDAYS.index(name) for name in rule.weekdays]
            return [monday + timedelta(weeks=distance, days=offset) for offset in offsets]
        case "monthly":
            later: Moment = plan.start + relativedelta(months=distance)
            if rule.ordinal is None:
                return [later]
            day = _nth_weekday(later.replace(day=1), rule.weekdays[0], rule.ordinal)
            return [later.replace(month=day.month, day=day.day)]
        case "yearly":
            return [plan.start + relativedelta(years=distance)]
