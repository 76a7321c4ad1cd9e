"""Time zones as EWS speaks of them: Windows ids and definitions made of periods and transitions."""

# ruff: noqa: ARG002 - the signature is tzinfo's
from __future__ import annotations

import calendar
import itertools
import re
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON
from lxml import etree

from lab.exchange.soap import Element, EwsError, M, T

# What Exchange calls zones whose rules came with the request and are none of Windows'.
CUSTOM = "Customized Time Zone"
# What Windows has had since its updates of 2026, icalendar's table does not know yet.
_NEW_ZONES = {
    "Alberta Standard Time": "America/Edmonton",
    "British Columbia Standard Time": "America/Vancouver",
    "Manitoba Standard Time": "America/Winnipeg",
}
WINDOWS_ZONES: dict[str, str] = {**WINDOWS_TO_OLSON, **_NEW_ZONES, "UTC": "Etc/UTC"}

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_DURATION = re.compile(r"(-)?P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:\.\d+)?S)?)?$")
_YEAR = 2024
_FIRST_NAMED_YEAR = 1970

# {"id": Windows id or CUSTOM, "name": text, "rules": see _rules_from, only for CUSTOM}
Zone = dict[str, Any]


class RuleZone(tzinfo):
    """A zone with one standard and at most one daylight period a year."""

    def __init__(self, rules: dict[str, Any]) -> None:
        self._rules = rules

    def utcoffset(self, moment: datetime | None) -> timedelta:
        """Offset from UTC; a skipped hour counts as standard time, of a doubled one ``fold`` tells which."""
        assert moment is not None
        standard = timedelta(seconds=self._rules["standard"])
        if "daylight" not in self._rules:
            return standard
        daylight = timedelta(seconds=self._rules["daylight"])
        start = _transition(self._rules["to_daylight"], moment.year) + (daylight - standard)
        end = _transition(self._rules["to_standard"], moment.year)
        if moment.fold:
            end -= daylight - standard
        naive = moment.replace(tzinfo=None, fold=0)
        inside = start <= naive < end if start < end else not end <= naive < start
        return daylight if inside else standard

    def dst(self, moment: datetime | None) -> timedelta:
        """How far the clock is ahead of standard time."""
        return self.utcoffset(moment) - timedelta(seconds=self._rules["standard"])

    def tzname(self, moment: datetime | None) -> str:
        """The name that Exchange has for such zones."""
        return CUSTOM

    def fromutc(self, moment: datetime) -> datetime:
        """Local time of an instant."""
        naive = moment.replace(tzinfo=None)
        for key in ("daylight", "standard"):
            if key in self._rules:
                offset = timedelta(seconds=self._rules[key])
                local = (naive + offset).replace(tzinfo=self)
                for fold in (0, 1):
                    if local.replace(fold=fold).utcoffset() == offset:
                        return local.replace(fold=fold)
        raise AssertionError("an instant is in standard or in daylight time")


def _transition(rule: dict[str, int], year: int) -> datetime:
    if "day" in rule:
        day = min(rule["day"], calendar.monthrange(year, rule["month"])[1])
        return datetime(year, rule["month"], day) + timedelta(seconds=rule["offset"])
    first = datetime(year, rule["month"], 1)
    days = calendar.monthrange(year, rule["month"])[1]
    matching = [day for day in range(1, days + 1) if (first + timedelta(day - 1)).weekday() == rule["weekday"]]
    occurrence = rule["occurrence"]
    day = matching[-1] if occurrence < 0 or occurrence > len(matching) else matching[occurrence - 1]
    return first + timedelta(days=day - 1, seconds=rule["offset"])


def tz_of(zone: Zone | None) -> tzinfo:
    """The rules to compute with; UTC where no zone is stored."""
    if zone is None:
        return UTC
    if "rules" in zone:
        return RuleZone(zone["rules"])
    return WindowsZone(zone["id"])


class WindowsZone(tzinfo):
    """A zone of Windows: it knows no local mean times; before 1970 it goes by the rules of today."""

    def __init__(self, windows_id: str) -> None:
        self._now = _zone_info(windows_id)
        self._before = RuleZone(_standard_rules(windows_id))

    def _at(self, moment: datetime) -> tzinfo:
        return self._now if moment.year >= _FIRST_NAMED_YEAR else self._before

    def utcoffset(self, moment: datetime | None) -> timedelta | None:
        """Offset from UTC."""
        assert moment is not None
        return self._at(moment).utcoffset(moment)

    def dst(self, moment: datetime | None) -> timedelta | None:
        """How far the clock is ahead of standard time."""
        assert moment is not None
        return self._at(moment).dst(moment)

    def tzname(self, moment: datetime | None) -> str | None:
        """The zone's name at a time."""
        assert moment is not None
        return self._at(moment).tzname(moment)

    def fromutc(self, moment: datetime) -> datetime:
        """Local time of an instant."""
        zone = self._at(moment)
        return zone.fromutc(moment.replace(tzinfo=zone)).replace(tzinfo=self)


@lru_cache(maxsize=256)
def _zone_info(windows_id: str) -> ZoneInfo:
    return ZoneInfo(WINDOWS_ZONES[windows_id])


def read_zone(element: Element) -> Zone:
    """A TimeZoneDefinition of a request (MS-OXWSGTZ 3.1.4.1.3.8): a known id, or the rules it spells out."""
    ident = element.get("Id", "")
    if ident in WINDOWS_ZONES:
        return {"id": ident, "name": display_name(ident)}
    periods = {period.get("Id", ""): period for period in element.iterfind(f"{T}Periods/{T}Period")}
    if not periods:
        raise EwsError("ErrorCalendarInvalidTimeZone", f"The time zone {ident!r} is unknown.")
    return {"id": CUSTOM, "name": element.get("Name", ident), "rules": _rules_from(element, periods)}


def _rules_from(element: Element, periods: dict[str, Element]) -> dict[str, Any]:
    """{"standard": seconds east} and, with daylight saving, "daylight", "to_daylight", "to_standard"."""
    offsets = {key: -_seconds(period.get("Bias", "")) for key, period in periods.items()}
    groups = element.findall(f"{T}TransitionsGroups/{T}TransitionsGroup")
    changes: list[tuple[int, dict[str, int]]] = []
    for change in groups[-1] if groups else []:
        month = change.findtext(f"{T}Month")
        if month is None:
            continue
        rule = {"month": int(month), "offset": _seconds(change.findtext(f"{T}TimeOffset", ""))}
        if (day := change.findtext(f"{T}Day")) is not None:
            rule["day"] = int(day)
        else:
            rule["weekday"] = _DAYS.index(change.findtext(f"{T}DayOfWeek", ""))
            rule["occurrence"] = int(change.findtext(f"{T}Occurrence", "1"))
        changes.append((offsets.get(change.findtext(f"{T}To", ""), 0), rule))
    if len(changes) < 2:
        return {"standard": next(iter(offsets.values()))}
    (standard, to_standard), (daylight, to_daylight) = sorted(changes, key=lambda change: change[0])[:2]
    return {"standard": standard, "daylight": daylight, "to_standard": to_standard, "to_daylight": to_daylight}


def _seconds(duration: str) -> int:
    match = _DURATION.match(duration)
    if match is None:
        raise EwsError("ErrorCalendarInvalidTimeZone", f"{duration!r} is no duration.")
    sign, days, hours, minutes, seconds = match.groups()
    total = int(days or 0) * 86400 + int(hours or 0) * 3600 + int(minutes or 0) * 60 + int(seconds or 0)
    return -total if sign else total


def _duration(seconds: int) -> str:
    hours, rest = divmod(abs(seconds), 3600)
    text = (f"{hours}H" if hours else "") + (f"{rest // 60}M" if rest else "")
    return f"{'-' if seconds < 0 else ''}PT{text or '0S'}"


def display_name(windows_id: str) -> str:
    """A zone's Name, in the form of Windows' own: ``(UTC+01:00) W. Europe``."""
    offset = _standard_rules(windows_id)["standard"]
    hours, minutes = divmod(abs(offset) // 60, 60)
    sign = "-" if offset < 0 else "+"
    return f"(UTC{f'{sign}{hours:02}:{minutes:02}' if offset else ''}) {windows_id.removesuffix(' Standard Time')}"


@lru_cache(maxsize=256)
def _standard_rules(windows_id: str) -> dict[str, Any]:
    """The rules of a Windows zone, read off this machine's zone data for one recent year."""
    zone = _zone_info(windows_id)
    changes: list[tuple[int, dict[str, int]]] = []
    first = datetime(_YEAR, 1, 1, tzinfo=UTC)
    days = [first + timedelta(days=number) for number in range(367)]
    for day, following in itertools.pairwise(days):
        if _offset(zone, day) == _offset(zone, following):
            continue
        before = _offset(zone, day)
        moment = next(m for m in (day + timedelta(minutes=30 * n) for n in range(49)) if _offset(zone, m) != before)
        rule = _rule_at(moment.replace(tzinfo=None) + timedelta(seconds=before))
        changes.append((_offset(zone, moment), rule))
    if len(changes) != 2:
        return {"standard": _offset(zone, first)}
    (standard, to_standard), (daylight, to_daylight) = sorted(changes, key=lambda change: change[0])
    return {"standard": standard, "daylight": daylight, "to_standard": to_standard, "to_daylight": to_daylight}


def _offset(zone: ZoneInfo, moment: datetime) -> int:
    offset = moment.astimezone(zone).utcoffset()
    assert offset is not None
    return int(offset.total_seconds())


def _rule_at(local: datetime) -> dict[str, int]:
    last = local.day + 7 > calendar.monthrange(local.year, local.month)[1]
    return {
        "month": local.month,
        "weekday": local.weekday(),
        "occurrence": -1 if last else (local.day - 1) // 7 + 1,
        "offset": local.hour * 3600 + local.minute * 60,
    }


def write_zone(tag: str, zone: Zone) -> Element:
    """A zone as GetItem shows it: id and name, and the rules only of a customized one."""
    element = etree.Element(tag, Id=zone["id"], Name=zone["name"])
    if "rules" in zone:
        _write_rules(element, zone["id"], zone["rules"])
    return element


def definition(windows_id: str, full: bool) -> Element:
    """A TimeZoneDefinition of GetServerTimeZones; ``full`` adds periods and transitions."""
    element = etree.Element(f"{T}TimeZoneDefinition", Id=windows_id, Name=display_name(windows_id))
    if full:
        _write_rules(element, windows_id, _standard_rules(windows_id))
    return element


def _write_rules(element: Element, ident: str, rules: dict[str, Any]) -> None:
    kinds = [name for name in ("standard", "daylight") if name in rules]
    periods = etree.SubElement(element, f"{T}Periods")
    names = {kind: f"trule:Microsoft/Registry/{ident}/1-{kind.title()}" for kind in kinds}
    for kind in kinds:
        bias = _duration(-rules[kind])
        etree.SubElement(periods, f"{T}Period", Bias=bias, Name=kind.title(), Id=names[kind])
    groups = etree.SubElement(element, f"{T}TransitionsGroups")
    group = etree.SubElement(groups, f"{T}TransitionsGroup", Id="0")
    if len(kinds) == 1:
        _write_target(etree.SubElement(group, f"{T}Transition"), "Period", names["standard"])
    for kind in reversed(kinds) if len(kinds) == 2 else ():
        rule = rules[f"to_{kind}"]
        by_date = "day" in rule
        change = etree.SubElement(group, f"{T}Recurring{'Date' if by_date else 'Day'}Transition")
        _write_target(change, "Period", names[kind])
        etree.SubElement(change, f"{T}TimeOffset").text = _duration(rule["offset"])
        etree.SubElement(change, f"{T}Month").text = str(rule["month"])
        if by_date:
            etree.SubElement(change, f"{T}Day").text = str(rule["day"])
        else:
            etree.SubElement(change, f"{T}DayOfWeek").text = _DAYS[rule["weekday"]]
            etree.SubElement(change, f"{T}Occurrence").text = str(rule["occurrence"])
    transitions = etree.SubElement(element, f"{T}Transitions")
    _write_target(etree.SubElement(transitions, f"{T}Transition"), "Group", "0")


def _write_target(transition: Element, kind: str, target: str) -> None:
    etree.SubElement(transition, f"{T}To", Kind=kind).text = target


def server_time_zones(request: Element) -> Element:
    """The TimeZoneDefinitions that a GetServerTimeZones request asks for; unknown ids are left out."""
    wanted = [element.text or "" for element in request.iterfind(f"{M}Ids/{T}Id")] or sorted(WINDOWS_ZONES)
    full = request.get("ReturnFullTimeZoneData", "true").lower() in ("true", "1")
    definitions = etree.Element(f"{M}TimeZoneDefinitions")
    definitions.extend(definition(ident, full) for ident in wanted if ident in WINDOWS_ZONES)
    return definitions
