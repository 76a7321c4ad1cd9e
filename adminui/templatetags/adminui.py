"""Small words of the templates: times, icons, badges, amounts."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django import template
from django.templatetags.static import static
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.numberformat import format as format_number
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from adminui import words
from adminui.health import Tone
from syncapp import life
from syncapp.models import Enrollment, Problem, Run, RunLine, Transition
from syncapp.words import sentence

register = template.Library()

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


def relative(moment: dt.datetime, now: dt.datetime) -> str:
    """How long ago, or in how long, in one unit: people compare, they do not calculate."""
    seconds = (now - moment).total_seconds()
    away = abs(seconds)
    if away < _MINUTE:
        return _("just now") if seconds >= 0 else _("in a moment")
    if away < _HOUR:
        count = int(away // _MINUTE)
        past, future = (
            ngettext("%d minute ago", "%d minutes ago", count),
            ngettext("in %d minute", "in %d minutes", count),
        )
    elif away < _DAY:
        count = int(away // _HOUR)
        past, future = ngettext("%d hour ago", "%d hours ago", count), ngettext("in %d hour", "in %d hours", count)
    else:
        count = int(away // _DAY)
        past, future = ngettext("%d day ago", "%d days ago", count), ngettext("in %d day", "in %d days", count)
    return (past if seconds >= 0 else future) % count


def _absolute(moment: dt.datetime) -> str:
    local = timezone.localtime(moment)
    return f"{date_format(local, 'j M Y, H:i:s')} {local.tzname()}"


@register.simple_tag
def when(moment: dt.datetime | None, never: str = "") -> str:
    """A moment relative to now, with the absolute time on hover; ``never`` (or "never") when there is none."""
    if moment is None:
        return never or _("never")
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        moment.isoformat(timespec="seconds"),
        _absolute(moment),
        relative(moment, timezone.now()),
    )


@register.simple_tag
def clock(moment: dt.datetime) -> SafeString:
    """The time of day of a line in a log, with the date on hover."""
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        moment.isoformat(timespec="milliseconds"),
        _absolute(moment),
        date_format(timezone.localtime(moment), "H:i:s"),
    )


@register.simple_tag
def lasted(run: Run) -> str:
    """How long a run took, or has taken so far."""
    seconds = int(((run.finished_at or timezone.now()) - run.started_at).total_seconds())
    if seconds < _MINUTE:
        return _("%d s") % seconds
    if seconds < _HOUR:
        return _("%(minutes)d min %(seconds)d s") % {"minutes": seconds // _MINUTE, "seconds": seconds % _MINUTE}
    return _("%(hours)d h %(minutes)d min") % {"hours": seconds // _HOUR, "minutes": seconds % _HOUR // _MINUTE}


@register.simple_tag
def icon(name: str) -> SafeString:
    """A decorative icon from the sprite; the words beside it carry the meaning."""
    return format_html(
        '<svg class="icon" aria-hidden="true" focusable="false"><use href="{}#{}"></use></svg>',
        static("adminui/icons.svg"),
        name,
    )


@register.filter
def amount(value: int | None) -> str:
    """A whole number with its thousands apart."""
    return format_number(value or 0, ".", grouping=3, thousand_sep=",", force_grouping=True, use_l10n=False)


_UNKNOWN_TONE = Tone.QUIET


def _badge(word: words.Word | None, code: str) -> dict[str, Any]:
    return {"word": word or words.Word(code, _UNKNOWN_TONE, "info")}


@register.inclusion_tag("components/badge.html")
def state_badge(enrollment: Enrollment) -> dict[str, Any]:
    """The state of an enrollment."""
    return _badge(words.STATES.get(enrollment.state), enrollment.state)


@register.inclusion_tag("components/badge.html")
def outcome_badge(run: Run) -> dict[str, Any]:
    """How a run ended, or that it is under way."""
    return _badge(words.RUNNING if run.finished_at is None else words.OUTCOMES.get(run.outcome), run.outcome)


@register.inclusion_tag("components/badge.html")
def actor_badge(actor: str) -> dict[str, Any]:
    """Who must act."""
    return _badge(words.ACTORS.get(actor), actor)


@register.filter
def state_meaning(enrollment: Enrollment) -> words.Text:
    """What the state of an enrollment means, in a sentence."""
    word = words.STATES.get(enrollment.state)
    return word.meaning if word else ""


@register.filter
def life_words(row: Transition) -> str:
    """What a change of an enrollment's state says."""
    return life.sentence(row)


@register.filter
def name_of(enrollment: Enrollment) -> str:
    """What people call a person: the display name, else the Nextcloud account."""
    return str(enrollment.display_name or enrollment.nextcloud_uid)


@register.filter
def place(problem: Problem) -> str:
    """Where a problem is: a person, an account, or the installation. Never the content of an item."""
    if problem.enrollment is not None:
        return name_of(problem.enrollment)
    if problem.account is not None:
        return str(problem.account.name)
    return _("Installation")


@register.filter
def level_words(level: str) -> words.Text:
    """How much a problem affects."""
    return words.LEVELS.get(level, level)


@register.filter
def kind_words(kind: str) -> words.Text:
    """What a pairing keeps the same."""
    return words.KINDS.get(kind, kind)


@register.filter
def direction_words(direction: str) -> words.Text:
    """Which way changes travel."""
    return words.DIRECTIONS.get(direction, direction)


@register.filter
def rule_words(rule: str) -> words.Text:
    """Who wins a conflict."""
    return words.CONFLICT_RULES.get(rule, rule)


@register.filter
def side_words(side: str) -> words.Text:
    """The name of a side."""
    return words.SIDES.get(side, side)


@register.filter
def hold_words(reason: str) -> words.Text:
    """Why something was held."""
    return words.HOLD_REASONS.get(reason, reason)


@register.filter
def line_words(line: RunLine) -> str:
    """What a line of a run's log says."""
    return sentence(line)
