"""From an address that somebody may have typed to a mailbox: what is taken for one, and what starts by itself.

Exchange finds mailboxes in a directory that takes letters for the same that a database does not ("ä" and "a", wide
and narrow, small and capital). So only the plain form of an address is taken: what looks different is different.
"""

from __future__ import annotations

import re

from django.conf import settings

_PLAIN = re.compile(
    r"[a-z0-9#$&'*+/=?^_`{|}~-]+(\.[a-z0-9#$&'*+/=?^_`{|}~-]+)*"
    r"@([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z0-9]([a-z0-9-]*[a-z0-9])?",
    re.ASCII,
)
"""RFC 5321 section 4.1.2 without quotes, literals and comments, and without what once routed mail (% and !)."""
LONGEST = 320


def mailbox_of(address: str) -> str | None:
    """The mailbox that an address names, in small letters; None when it is none that is taken."""
    # Not lower() of everything: that makes plain letters of others, the Kelvin sign among them.
    plain = address.lower() if address.isascii() else address
    return plain if len(plain) <= LONGEST and _PLAIN.fullmatch(plain) else None


def starts_by_itself(mailbox: str) -> bool:
    """Whether somebody with this mailbox needs no approval: addresses are managed, and nothing about it is unusual.

    A part after a plus is not in the directory: Exchange drops it, so that it may stand for somebody else's mailbox.
    """
    name, _, domain = mailbox.rpartition("@")
    known = not settings.MAILBOX_DOMAINS or domain in settings.MAILBOX_DOMAINS
    return settings.ADDRESSES_ARE_MANAGED and known and "+" not in name
