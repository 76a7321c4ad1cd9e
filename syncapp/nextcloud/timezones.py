"""Time zones in calendar files: which IANA zone a TZID means, and the VTIMEZONE text for a zone.

A TZID may be an IANA name, a Windows name, either of them in disguise, or anything at all with a VTIMEZONE beside it
(RFC 5545 section 3.6.5). Of a name that nothing explains only the clock is known: Nextcloud shows such a time as it
stands, as one without a zone (docs/architecture.md, "Time").
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from itertools import groupby
from zoneinfo import ZoneInfo, available_timezones

from syncapp.items.values import WEEKDAYS
from syncapp.items.windows_zones import WINDOWS_ZONES
from syncapp.items.zone_rules import LAST, SERIES_YEARS, Change, ZoneRules, is_rules, zone_info
from syncapp.items.zones import windows_to_iana
from syncapp.nextcloud.content_lines import Component, remembered
from syncapp.side import Unreadable

_UTC_NAMES = frozenset({"utc", "etc/utc", "etc/uct", "uct", "zulu", "etc/zulu", "universal", "etc/universal", "z"})
_OFFSET = re.compile(r"([+-])(\d\d)(\d\d)(\d\d)?")
_UNPUNCTUATED = str.maketrans({"<": "", ">": " ", ",": " ", "/": "T", ":": ""})
_OFFSET_NAME = re.compile(r"(?:UTC|GMT)([+-])(\d{1,2})(?::?(\d\d))?", re.IGNORECASE)
_BYDAY = re.compile(r"([+-]?\d{1,2})?(MO|TU|WE|TH|FR|SA|SU)")
_STAMP = re.compile(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z?")
# Rules that hold today hold in these years too; 28 years show every weekday at every date.
_RULE_YEARS = range(2101, 2129)
_LAST_EXPLICIT_YEAR = 2037
_FIRST_YEAR = 1970
_FOR_EVER = 9999
_WEEK = 7 * 24 * 60 * 60


@cache
def _iana_names() -> Mapping[str, str]:
    names = {name.casefold(): name for name in available_timezones() if name not in ("localtime", "Factory")}
    return names | dict.fromkeys(_UTC_NAMES, "UTC")


@remembered
def zone_by_name(tzid: str) -> str | None:
    """The IANA zone that a TZID names: its own name, a Windows name, or one with a prefix before it.

    >>> zone_by_name("/freeassociation.sourceforge.net/Europe/Berlin")
    'Europe/Berlin'
    """
    names = _iana_names()
    tzid = tzid.strip().strip('"')
    if found := names.get(tzid.casefold()) or windows_to_iana(tzid):
        return found
    segments = tzid.casefold().split("/")
    return next((names[name] for n in (3, 2) if (name := "/".join(segments[-n:])) in names), None)


@remembered
def iana_zone(tzid: str) -> str | None:
    """The zone of a TZID that is a name of IANA's: that means what it says, whatever stands beside it."""
    return _iana_names().get(tzid.strip().strip('"').casefold())


def zone_of(tzid: str, definitions: Mapping[str, Component], at: datetime, years: int = 0) -> str:
    """The zone of a TZID in an object that defines its zones by ``definitions``; "" where nothing explains it.

    A name that says nothing is explained by the rules that its VTIMEZONE has in the year of the wall time ``at``, and
    so many ``years`` later. Where no zone with a name has these rules, it goes by its rules; and where they are not the
    same every year, it is a zone with the offset of that time all year: right for that time, and for nothing else
    (``is_own``). Raises Unreadable.
    """
    if iana := iana_zone(tzid):
        return iana
    named, definition = zone_by_name(tzid), definitions.get(tzid)
    observances = () if definition is None else tuple(_observances(definition))
    if definition is None or not observances:
        return named or _zone_of_offset_name(tzid) or ""
    if named is not None and _says_so(observances, named, at):
        return named
    location = definition.first("X-LIC-LOCATION")
    if location is not None and (found := zone_by_name(location.value)):
        return found
    raw = b"".join(definition.raw())
    named_by_rules = {_zone_by_rules(raw, observances, tzid.casefold(), at.year + later) for later in {0, years}}
    if len(named_by_rules) == 1 and (found := named_by_rules.pop()) is not None:
        return found
    if years and (rules := _same_every_year(observances, at.year)) is not None:
        return rules.name
    offset = _offset_on_clock(at, observances)
    disguised = next(filter(None, (zone_by_name(tzid.replace(each, "/", 1)) for each in "_-")), None)
    if disguised is not None and _says_so(observances, disguised, at):
        return disguised
    return _zone_with_offset(offset)


def _same_every_year(observances: tuple[_Observance, ...], year: int) -> ZoneRules | None:
    """The rules that hold in a year and from then on, if they are two changes by the weeks of a month."""
    lasting = [each for each in observances if each.month and each.start.year <= year and each.until == _FOR_EVER]
    if len(lasting) != 2 or lasting[0].after == lasting[1].after:
        return None
    standard, daylight = sorted(lasting, key=lambda each: each.after)
    to_standard, to_daylight = _change(standard), _change(daylight)
    if to_standard is None or to_daylight is None:
        return None
    return ZoneRules(standard.after, daylight.after, to_daylight, to_standard)


def _change(observance: _Observance) -> Change | None:
    if observance.days:
        first = min(observance.days)
        week = (first - 1) // 7 + 1 if first % 7 == 1 and len(observance.days) == 7 else 0
    else:
        week = LAST if observance.ordinal == -1 else max(observance.ordinal, 0)
    start = observance.start
    at = timedelta(hours=start.hour, minutes=start.minute, seconds=start.second)
    return Change(observance.month, week, WEEKDAYS.index(observance.weekday), at) if week else None


def is_own(tzid: str, definitions: Mapping[str, Component], at: datetime) -> bool:
    """Whether a TZID is a zone whose clocks change in a way that no name and no rules tell."""
    definition = definitions.get(tzid)
    observances = () if definition is None or iana_zone(tzid) else tuple(_observances(definition))
    if len({each.after for each in observances}) < 2:
        return False
    zone = zone_of(tzid, definitions, at, SERIES_YEARS)
    return zone == _zone_with_offset(_offset_on_clock(at, observances))


def _zone_of_offset_name(tzid: str) -> str | None:
    """The zone of a name that is an offset, as UTC+11 or GMT-05:30."""
    found = _OFFSET_NAME.fullmatch(tzid.strip().strip('"'))
    if found is None:
        return None
    sign, hours, minutes = found.groups()
    offset = timedelta(hours=int(hours), minutes=int(minutes or 0))
    return _zone_with_offset(-offset if sign == "-" else offset)


def _says_so(observances: tuple[_Observance, ...], zone: str, at: datetime) -> bool:
    """Whether rules have the offset of ``zone`` when the clock shows ``at``: a name may lie."""
    return at.replace(tzinfo=ZoneInfo(zone)).utcoffset() == _offset_on_clock(at, observances)


@lru_cache(maxsize=4096)
def _offset_on_clock(at: datetime, observances: tuple[_Observance, ...]) -> timedelta:
    """The offset that rules have when the clock shows ``at``."""
    begun = sorted(
        (onset + each.before, each.after)
        for each in observances
        for year in {at.year - 1, at.year, each.start.year}
        if year >= each.start.year
        for onset in each.onsets(year)
    )
    passed = [offset for wall, offset in begun if wall <= at]
    return passed[-1] if passed else min(observances, key=lambda each: each.start).before


@cache
def _zone_with_offset(offset: timedelta) -> str:
    """A zone that has an offset all year. Raises Unreadable when there is none."""
    hours, rest = divmod(offset, timedelta(hours=1))
    if not rest and -12 <= hours <= 14:
        return f"Etc/GMT{-hours:+d}" if hours else "UTC"
    for names in WINDOWS_ZONES.values():
        zone = ZoneInfo(names.split()[0])
        if all(datetime(2024, month, 1, tzinfo=zone).utcoffset() == offset for month in range(1, 13)):
            return names.split()[0]
    raise Unreadable("A time is given in a private time zone with an offset that no known zone has.")


# Zones by their rules --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Observance:
    """One STANDARD or DAYLIGHT part: from when on, at which wall times again, and the offset that begins then."""

    start: datetime
    before: timedelta
    after: timedelta
    month: int = 0
    weekday: str = ""
    ordinal: int = 0
    days: tuple[int, ...] = ()
    until: int = _FOR_EVER
    dates: tuple[datetime, ...] = ()

    def onsets(self, year: int) -> Iterable[datetime]:
        """The moments in ``year``, in UTC, at which this observance begins."""
        walls = [each for each in (self.start, *self.dates) if each.year == year]
        if self.month and self.start.year <= year <= self.until:
            walls = [self._in_year(year)]
        return (wall - self.before for wall in walls)

    def _in_year(self, year: int) -> datetime:
        first, length = monthrange(year, self.month)
        days = [each for each in range(1, length + 1) if WEEKDAYS[(first + each - 1) % 7] == self.weekday]
        if self.days:
            days = [each for each in days if each in self.days] or days
            day = days[0]
        else:
            day = days[self.ordinal - 1 if self.ordinal > 0 else self.ordinal]
        return self.start.replace(year=year, month=self.month, day=day)


def _observances(definition: Component) -> Iterable[_Observance]:
    for part in definition.components:
        values = {line.name: line.value.strip() for line in part.lines}
        start = _stamp(values.get("DTSTART", ""))
        before, after = _offset(values.get("TZOFFSETFROM", "")), _offset(values.get("TZOFFSETTO", ""))
        if start is None or before is None or after is None:
            continue
        dates = [_stamp(each) for line in part.all("RDATE") for each in line.value.split(",")[:200]]
        rule = dict(each.partition("=")[::2] for each in values.get("RRULE", "").upper().split(";"))
        byday = _BYDAY.fullmatch(rule.get("BYDAY", ""))
        month = rule.get("BYMONTH", "")
        if rule.get("FREQ") == "YEARLY" and byday and month.isdecimal() and 1 <= int(month[:2]) <= 12:
            ordinal = int(byday.group(1) or 0)
            month_days = [each for each in rule.get("BYMONTHDAY", "").split(",") if each.isdecimal()]
            until = rule.get("UNTIL", "")[:4]
            if ordinal in (0, 1, 2, 3, 4, -1, -2, -3, -4) and bool(ordinal) != bool(month_days):
                yield _Observance(
                    start,
                    before,
                    after,
                    int(month),
                    byday.group(2),
                    ordinal,
                    tuple(int(each[:2]) for each in month_days),
                    int(until) if until.isdecimal() else _FOR_EVER,
                )
                continue
        yield _Observance(start, before, after, dates=tuple(each for each in dates if each))


def _stamp(text: str) -> datetime | None:
    match = _STAMP.fullmatch(text)
    if match is None:
        return None
    try:
        return datetime(*map(int, match.groups()))  # type: ignore[arg-type]  # six numbers
    except ValueError:
        return None


def _offset(text: str) -> timedelta | None:
    match = _OFFSET.fullmatch(text)
    if match is None:
        return None
    sign, hours, minutes, seconds = match.groups()
    length = timedelta(hours=int(hours), minutes=int(minutes), seconds=int(seconds or 0))
    return -length if sign == "-" else length


@lru_cache(maxsize=512)
def _zone_by_rules(raw: bytes, observances: tuple[_Observance, ...], tzid: str, year: int) -> str | None:
    """The first of Windows' zones that has these offsets in ``year``; one that the name speaks of comes first."""
    del raw  # the cache's key: the rules may be spelt in ways that ``observances`` does not tell apart
    year = min(max(year, _FIRST_YEAR), _LAST_EXPLICIT_YEAR)
    onsets = sorted(
        (
            (onset, each.after)
            for each in observances
            for in_year in {year - 1, year, year + 1, each.start.year}
            if in_year <= year + 1 and in_year >= 1602
            for onset in each.onsets(in_year)
        ),
    )
    if not onsets:
        return None
    samples = [datetime(year, month, day, 12) for month in range(1, 13) for day in (1, 15)]
    for onset, _ in onsets:
        if onset.year == year:
            samples += [onset - timedelta(seconds=1), onset + timedelta(seconds=1)]
    wanted = [(at, _offset_at(at, onsets, observances)) for at in samples]
    candidates = [names.split()[0] for names in WINDOWS_ZONES.values()]
    words = frozenset(re.findall(r"[a-z]+", tzid))
    candidates.sort(key=lambda name: name.rsplit("/", 1)[-1].casefold() not in words)
    for name in candidates:
        zone = ZoneInfo(name)
        if all(at.replace(tzinfo=UTC).astimezone(zone).utcoffset() == offset for at, offset in wanted):
            return name
    return None


def _offset_at(
    at: datetime, onsets: list[tuple[datetime, timedelta]], observances: tuple[_Observance, ...]
) -> timedelta:
    begun = [offset for onset, offset in onsets if onset <= at]
    if begun:
        return begun[-1]
    return min(observances, key=lambda each: each.start).before


# Writing ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Transition:
    """A change of the clocks: when (the wall time before it), from which offset to which, and the new name."""

    wall: datetime
    before: timedelta
    after: timedelta
    name: str
    daylight: bool


def tzid_of(zone: str) -> str:
    """What a new VTIMEZONE calls a zone: as IANA does; one without a name by its rules, without their punctuation."""
    return zone.translate(_UNPUNCTUATED) if is_rules(zone) else zone


@cache
def vtimezone(zone: str, since: int) -> bytes:
    """The VTIMEZONE of an IANA zone, right from the year ``since`` on, with CRLF line ends.

    Today's rules are written as RRULEs, and those before them as RDATEs where ``since`` asks for them.
    """
    info = zone_info(zone)
    rules = _rules(info)
    parts: list[str] = []
    start = rules_start(zone)
    if rules:
        parts += [_part(_in_year(info, start)[index], rrule) for index, rrule in enumerate(rules)]
    elif start <= _FIRST_YEAR:
        parts.append(_part(_constant(info, datetime(_FIRST_YEAR, 1, 1)), ""))
    else:
        parts.append(_part(_constant(info, datetime(start, 1, 1)), ""))
    if since < start:
        first = max(since - 1, _FIRST_YEAR)
        parts.insert(0, _part(_constant(info, datetime(first, 1, 1)), ""))
        earlier = [each for year in range(first, start) for each in _in_year(info, year)]
        earlier.sort(key=lambda each: (each.daylight, each.name, each.before, each.after, each.wall))
        for _, same in groupby(earlier, key=lambda each: (each.daylight, each.name, each.before, each.after)):
            walls = list(same)
            parts.append(_part(walls[0], "".join(f"RDATE:{each.wall:%Y%m%dT%H%M%S}\r\n" for each in walls[1:])))
    return f"BEGIN:VTIMEZONE\r\nTZID:{tzid_of(zone)}\r\n{''.join(parts)}END:VTIMEZONE\r\n".encode()


def warm_up(zone: str) -> None:
    """Find out what takes long and stays: the names of all zones, and the rules of the one that most people live in."""
    zone_by_name(zone)
    rules_start(zone)


def _part(transition: _Transition, rule: str) -> str:
    kind = "DAYLIGHT" if transition.daylight else "STANDARD"
    return (
        f"BEGIN:{kind}\r\n"
        f"DTSTART:{transition.wall.year:04d}{transition.wall:%m%dT%H%M%S}\r\n"
        f"TZNAME:{transition.name}\r\n"
        f"TZOFFSETFROM:{_offset_text(transition.before)}\r\n"
        f"TZOFFSETTO:{_offset_text(transition.after)}\r\n"
        f"{rule}END:{kind}\r\n"
    )


def _offset_text(offset: timedelta) -> str:
    seconds = abs(int(offset.total_seconds()))
    text = f"{'-' if offset < timedelta() else '+'}{seconds // 3600:02d}{seconds // 60 % 60:02d}"
    return text + (f"{seconds % 60:02d}" if seconds % 60 else "")


def _constant(info: ZoneInfo, at: datetime) -> _Transition:
    local = at.replace(tzinfo=UTC).astimezone(info)
    offset = local.utcoffset() or timedelta()
    return _Transition(at, offset, offset, local.tzname() or "UTC", bool(local.dst()))


@lru_cache(maxsize=4096)
def _in_year(info: ZoneInfo, year: int) -> tuple[_Transition, ...]:
    """Every change of the clocks in a year, in order."""
    found: list[_Transition] = []
    at, end = (int(datetime(each, 1, 1, tzinfo=UTC).timestamp()) for each in (year, year + 1))
    state = _state(info, at)
    while at < end:
        later = min(at + _WEEK, end)
        state_before, state = state, _state(info, later)
        if state_before != state:
            low, high = at, later
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if _state(info, middle) == state_before else (low, middle)
            before, after = state_before[0], _state(info, high)[0]
            local = datetime.fromtimestamp(high, info)
            wall = local.replace(tzinfo=None, fold=0) - after + before
            found.append(_Transition(wall, before, after, local.tzname() or "", bool(local.dst())))
            later, state = high, _state(info, high)
        at = later
    return tuple(found)


def _state(info: ZoneInfo, at: int) -> tuple[timedelta, str]:
    local = datetime.fromtimestamp(at, info)
    return local.utcoffset() or timedelta(), local.tzname() or ""


@cache
def _rules(info: ZoneInfo) -> tuple[str, ...]:
    """The RRULE lines of the rules that hold today, in the order of the year; none for a constant offset."""
    years = [_in_year(info, year) for year in _RULE_YEARS]
    if not years[0] or any(len(each) != len(years[0]) for each in years):
        return ()
    return tuple(_rule([each[index].wall for each in years]) for index in range(len(years[0])))


def _rule(walls: list[datetime]) -> str:
    month, weekday = walls[0].month, WEEKDAYS[walls[0].weekday()]
    first, last = min(each.day for each in walls), max(each.day for each in walls)
    if last == monthrange(2101, month)[1]:
        by = f"BYDAY=-1{weekday}"
    elif first % 7 == 1:
        by = f"BYDAY={first // 7 + 1}{weekday}"
    else:
        by = f"BYMONTHDAY={','.join(map(str, range(first, last + 1)))};BYDAY={weekday}"
    return f"RRULE:FREQ=YEARLY;BYMONTH={month};{by}\r\n"


@cache
def rules_start(zone: str) -> int:
    """The year from which on today's rules of a zone hold."""
    info = zone_info(zone)
    shapes = {_shape(_in_year(info, year)) for year in _RULE_YEARS}
    for year in range(_LAST_EXPLICIT_YEAR, _FIRST_YEAR - 1, -1):
        if _shape(_in_year(info, year)) not in shapes:
            return year + 1
    return _FIRST_YEAR


def _shape(transitions: tuple[_Transition, ...]) -> tuple[tuple[object, ...], ...]:
    """A year's changes without what differs from year to year: the date within its week of the month."""
    return tuple(
        (each.wall.month, each.wall.weekday(), _week(each.wall), each.wall.time(), each.before, each.after, each.name)
        for each in transitions
    )


def _week(wall: datetime) -> int:
    return -1 if wall.day + 7 > monthrange(wall.year, wall.month)[1] else (wall.day - 1) // 7
