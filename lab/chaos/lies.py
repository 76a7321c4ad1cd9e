"""What a server may tell wrongly of what has changed in a folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum

from syncapp.side import Changes, Gone, TokenLost


class Lie(StrEnum):
    """One wrong answer of ``changes``."""

    TOKEN_LOST = "token-lost"
    """A token that is good is said to mean nothing."""
    TRUNCATED = "truncated"
    """A listing that claims to be complete lacks its end."""
    TWICE = "twice"
    """Everything is reported twice."""
    FALSELY_GONE = "falsely-gone"
    """A living object is reported as gone, too."""
    NO_FOLDER = "no-folder"
    """The whole folder is said not to exist."""


def told_wrongly(told: Changes, lie: Lie, pick: int, token: str | None, living: Sequence[str]) -> Changes | None:
    """``told`` with a lie in it; None when it does not lend itself to this one. ``pick`` chooses which object.

    Raises ``TokenLost`` and ``Gone`` (the folder), if that is the lie.
    """
    if lie is Lie.NO_FOLDER:
        raise Gone("there is no such folder")
    if lie is Lie.TOKEN_LOST:
        if token is None:
            return None
        raise TokenLost("the token means nothing here")
    if lie is Lie.TRUNCATED:
        if not told.full or told.more or not told.changed:
            return None
        return replace(told, changed=told.changed[: pick % len(told.changed)])
    if lie is Lie.TWICE:
        if not told.changed and not told.gone:
            return None
        return replace(told, changed=told.changed * 2, gone=told.gone * 2)
    if not living or told.full:
        return None
    return replace(told, gone=(*told.gone, living[pick % len(living)]))
