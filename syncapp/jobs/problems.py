"""What a person decides about problems: to try again now, to leave an item alone, or not to leave it alone any more.

An ignored item is left alone on both sides until something happens to it there, or until it is not ignored any more.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable

from django.db import transaction
from django.db.models import F, QuerySet

from syncapp.models import Enrollment, Link, Problem


def retry(problems: Iterable[int], now: dt.datetime) -> int:
    """Try again now whatever these problems of people and items are about, whatever the delay. How many there were."""
    of_people = Problem.objects.filter(pk__in=list(problems), enrollment__isnull=False)
    return _decide(
        of_people.values_list("pk", flat=True), now, lambda links: links.update(dirty=F("dirty") + 1, **Link.ANEW)
    )


def ignore(problems: Iterable[int], now: dt.datetime) -> int:
    """Leave the items of these problems alone. How many there were: what concerns more than an item stays as it is."""
    left_alone = {**Link.ANEW, "dirty": 0, "ignored": True}
    items = Problem.objects.filter(pk__in=list(problems), link__ignored=False).values_list("pk", flat=True)
    return _decide(items, now, lambda links: links.update(**left_alone))


def unignore(problems: Iterable[int], now: dt.datetime) -> int:
    """Do not leave these items alone any more. How many there were."""
    ignored = Problem.objects.filter(pk__in=list(problems), link__ignored=True).values_list("pk", flat=True)
    return retry(ignored, now)


def _decide(problems: Iterable[int], now: dt.datetime, change: Callable[[QuerySet[Link]], int]) -> int:
    """Change the links of these problems, person by person, and let a worker look at each of them soon."""
    pks = list(problems)
    for enrollment_id in Problem.objects.filter(pk__in=pks).order_by().values_list("enrollment", flat=True).distinct():
        with transaction.atomic():
            # Workers lock the enrollment before anything of it: in another order the two could wait for each other.
            Enrollment.objects.select_for_update().filter(pk=enrollment_id).first()
            change(Link.objects.filter(enrollment=enrollment_id, problems__in=pks))
            Enrollment.objects.filter(pk=enrollment_id, due_at__gt=now).update(due_at=now)
    return len(pks)
