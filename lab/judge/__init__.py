"""The reader that judges a sync: reads both servers with other people's libraries and says where they differ.

Shares nothing with the connector, so that a mistake there can't hide itself here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from lab.judge import exchange, nextcloud
from lab.judge.compare import differences, person_differences
from lab.judge.reading import Shown
from lab.scenario.mailbox import connect
from lab.scenario.people import Login
from lab.webdav import WebDav

# A day less than the connector's default window, on both sides: at its edges the two need not agree.
DAYS_BEHIND, DAYS_AHEAD = 29, 364
# What touches the edge of a range depends on the zone in which a server thinks of days; what starts inside does not.
MARGIN = timedelta(days=2)


@dataclass(frozen=True)
class Judgement:
    """What was compared, and the differences in words."""

    occurrences: int
    contacts: int
    differences: tuple[str, ...]

    @property
    def agree(self) -> bool:
        """Whether both sides show the same."""
        return not self.differences


def judge(
    ews_url: str,
    exchange_login: Login,
    address: str,
    nextcloud_url: str,
    nextcloud_login: Login,
    uid: str,
    now: datetime | None = None,
    days: tuple[int, int] = (DAYS_BEHIND, DAYS_AHEAD),
) -> Judgement:
    """Compare one person's default calendars and contacts, occurrence by occurrence and field by field.

    ``days`` are the days before and after today within which occurrences count. Raises what exchangelib and httpx
    raise when a server can't be read.
    """
    today = datetime.combine((now or datetime.now(UTC)).date(), time(), UTC)
    start, end = today - timedelta(days=days[0]), today + timedelta(days=days[1])
    account = connect(ews_url, exchange_login, address)
    with WebDav(nextcloud_url, nextcloud_login.name, nextcloud_login.password, uid) as dav:
        shown = (
            _starting_in(exchange.occurrences(account, start - MARGIN, end + MARGIN), start, end),
            _starting_in(nextcloud.occurrences(dav, start - MARGIN, end + MARGIN), start, end),
        )
        people = exchange.people(account), nextcloud.people(dav)
    return Judgement(
        occurrences=max(map(len, shown)),
        contacts=max(map(len, people)),
        differences=tuple(differences(*shown) + person_differences(*people)),
    )


def _starting_in(shown: list[Shown], start: datetime, end: datetime) -> list[Shown]:
    first, last = start.date().isoformat(), end.date().isoformat()
    return [each for each in shown if first <= each.start[:10] < last]
