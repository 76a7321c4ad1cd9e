"""Time zones by their two names: IANA's, which items use, and those of Windows, which Exchange uses.

A name that is not known is answered with None, never with a guess (docs/architecture.md, "Time").
"""

from __future__ import annotations

from collections.abc import Mapping

from syncapp.items.windows_zones import WINDOWS_ZONES

_TO_IANA: Mapping[str, str] = {windows.casefold(): names.split()[0] for windows, names in WINDOWS_ZONES.items()} | {
    # What Outlook on the web and Microsoft 365 write for UTC.
    "tzone://microsoft/utc": "UTC",
}
_TO_WINDOWS: Mapping[str, str] = {
    iana.casefold(): windows for windows, names in WINDOWS_ZONES.items() for iana in names.split()
}


def windows_to_iana(name: str) -> str | None:
    """The IANA zone for a Windows zone id.

    >>> windows_to_iana("W. Europe Standard Time")
    'Europe/Berlin'
    >>> windows_to_iana("Customized Time Zone") is None
    True
    """
    return _TO_IANA.get(name.strip().casefold())


def iana_to_windows(name: str) -> str | None:
    """The Windows zone id for an IANA zone, None for a floating time ("") or where Windows has no zone like it.

    >>> iana_to_windows("Europe/Vienna")
    'W. Europe Standard Time'
    """
    return _TO_WINDOWS.get(name.casefold())


def canonical(iana: str) -> str:
    """The IANA name that ``iana`` has after a way through Exchange; the name itself where Windows has no zone like it.

    >>> canonical("Europe/Vienna"), canonical("Etc/UTC"), canonical("Antarctica/Troll"), canonical("")
    ('Europe/Berlin', 'UTC', 'Antarctica/Troll', '')
    """
    windows = iana_to_windows(iana)
    return iana if windows is None else _TO_IANA[windows.casefold()]
