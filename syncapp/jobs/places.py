"""Places of workers and their signs of life.

There are ``WORKERS`` places. A worker takes one by a conditional UPDATE, beats while it works, and leaves it. A place
whose beat is old is vacant: its worker was killed or hangs. Workers ask once a second, so asking writes only when
something is to be changed.
"""

from __future__ import annotations

import datetime as dt

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q

from syncapp.models import Heartbeat

DISPATCHER = "dispatcher"
REFRESH = "refresh"
WORKER_PREFIX = "worker "
BEAT_EVERY = dt.timedelta(seconds=15)
STALE_AFTER = dt.timedelta(minutes=3)
_NEVER = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)


def place_name(number: int) -> str:
    """The name of a worker's place; numbers begin at 1."""
    return f"{WORKER_PREFIX}{number}"


def _ensure(name: str) -> None:
    try:
        with transaction.atomic():
            Heartbeat.objects.get_or_create(name=name, defaults={"at": _NEVER})
    except IntegrityError:
        return  # another process was faster


def beat(name: str, now: dt.datetime) -> None:
    """Leave a sign of life."""
    Heartbeat.objects.update_or_create(name=name, defaults={"at": now})


def take(number: int, owner: str, now: dt.datetime) -> bool:
    """Take a vacant place. False when somebody works there."""
    name = place_name(number)
    _ensure(name)
    vacant = Q(owner="") | Q(at__lt=now - STALE_AFTER)
    return Heartbeat.objects.filter(vacant, name=name).update(owner=owner, at=now) == 1


def keep(number: int, owner: str, now: dt.datetime) -> bool:
    """Beat at a place if the last beat is some time ago. False when it was given to another worker meanwhile."""
    mine = Heartbeat.objects.filter(name=place_name(number), owner=owner)
    beat = mine.values_list("at", flat=True).first()
    return beat is not None and (beat > now - BEAT_EVERY or mine.update(at=now) == 1)


def leave(number: int, owner: str) -> None:
    """Make a place vacant again."""
    Heartbeat.objects.filter(name=place_name(number), owner=owner).update(owner="")


def vacant(now: dt.datetime) -> list[int]:
    """The places at which nobody works."""
    taken = set(Heartbeat.objects.filter(at__gte=now - STALE_AFTER).exclude(owner="").values_list("name", flat=True))
    return [number for number in range(1, settings.WORKERS + 1) if place_name(number) not in taken]


def take_turn(name: str, every: dt.timedelta, now: dt.datetime) -> bool:
    """True for one caller per interval: it does the round that ``name`` stands for."""
    last = Heartbeat.objects.filter(name=name).values_list("at", flat=True).first()
    if last is not None and last > now - every:
        return False
    _ensure(name)
    return Heartbeat.objects.filter(name=name, at__lte=now - every).update(at=now) == 1


def make_due(name: str) -> None:
    """Let the next ``take_turn`` succeed."""
    _ensure(name)
    Heartbeat.objects.filter(name=name).update(at=_NEVER)
