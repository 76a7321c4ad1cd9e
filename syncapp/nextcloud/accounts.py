"""Nextcloud's own API for accounts (OCS): whose a login is, who belongs to a group, and the end of an app password.

See docs/server-behaviour.md#section-2.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import quote, urlsplit

from syncapp.http import Transport
from syncapp.nextcloud.dav import DavClient
from syncapp.side import NotAllowed, SideError, Unreachable

_HEADERS = {"OCS-APIRequest": "true", "Accept": "application/json"}


class NoSuchGroup(SideError):
    """Nextcloud has no group of that name."""


@dataclass(frozen=True)
class Identity:
    """Whose account it is. ``uid`` is what Nextcloud itself calls the account, whatever name was typed to log in."""

    uid: str
    email: str = ""
    display_name: str = ""
    groups: frozenset[str] = frozenset()


class Accounts:
    """The API as one account sees it, logged in by its name and (app) password, or by an OAuth token.

    Every method may raise LoginFailed, NotAllowed, Throttled or Unreachable.
    """

    def __init__(
        self, url: str, user: str = "", password: str = "", *, bearer: str = "", transport: Transport | None = None
    ) -> None:
        self._client = DavClient(url, user, password, transport)
        self._base = urlsplit(url).path.rstrip("/") + "/ocs/v2.php"
        self._headers = _HEADERS | ({"Authorization": f"Bearer {bearer}"} if bearer else {})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connection."""
        self._client.close()

    def identity(self) -> Identity:
        """The account behind the login."""
        said = self._data("GET", "/cloud/user?format=json")
        uid = said.get("id")
        if not isinstance(uid, str) or not uid:
            raise Unreachable("Nextcloud does not say whose account it is.")
        groups = said.get("groups")
        return Identity(
            uid,
            str(said.get("email") or "").strip(),
            str(said.get("displayname") or said.get("display-name") or ""),
            frozenset(map(str, groups)) if isinstance(groups, list) else frozenset(),
        )

    def members(self, group: str) -> frozenset[str]:
        """The uids of a group's members; only admins may ask. Raises NoSuchGroup."""
        users = self._data("GET", f"/cloud/groups/{quote(group, safe='')}/users?format=json").get("users")
        if not isinstance(users, list):
            raise Unreachable("Nextcloud's answer holds no members of the group.")
        return frozenset(map(str, users))

    def revoke(self) -> None:
        """End the app password (or token) that this very login uses."""
        self._data("DELETE", "/core/apppassword?format=json")

    def _data(self, method: str, path: str) -> Mapping[str, Any]:
        answer = self._client.request(method, self._base + path, b"", self._headers)
        if answer.status == 404:
            raise NoSuchGroup("Nextcloud has no such group.")
        if answer.status == 403:
            raise NotAllowed("Nextcloud does not allow this login to do that.")
        if answer.status != 200:
            raise Unreachable(f"Nextcloud's API for accounts answers with an error ({answer.status}).")
        try:
            data = json.loads(answer.body)["ocs"]["data"]
        except (ValueError, LookupError, TypeError, RecursionError):
            raise Unreachable("The answer of Nextcloud's API for accounts can't be read.") from None
        return data if isinstance(data, Mapping) else {}
