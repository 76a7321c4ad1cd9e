"""How a person signs in with Nextcloud (OAuth2, for identity only) and lets us in (Login Flow v2).

See docs/server-behaviour.md#section-2. Nothing here logs in as anybody: a wrong password of ours would count against
everybody on this address.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

from syncapp.http import Transport
from syncapp.nextcloud.dav import DavClient
from syncapp.side import LoginFailed, SideError, Unreachable

SHOWN_AS = "Exchange Connector"
"""What Nextcloud calls us on the page where access is granted, and in the person's list of devices."""
_FORM = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json", "User-Agent": SHOWN_AS}
_LONGEST = 2000


class AnotherAddress(SideError):
    """Nextcloud sends us or the person to an address that is not NEXTCLOUD_URL's: it is not followed."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        super().__init__(
            f"Nextcloud calls itself {parts.scheme}://{parts.netloc} and not what NEXTCLOUD_URL says. Correct "
            "NEXTCLOUD_URL in .env, or overwrite.cli.url, overwritehost and overwriteprotocol in Nextcloud."
        )


@dataclass(frozen=True)
class Started:
    """A login flow: where the person goes, and the secret with which we ask what came of it."""

    login: str
    token: str = field(repr=False)


@dataclass(frozen=True)
class Granted:
    """What the person let us have. ``login`` is what goes with the password, and may be no uid."""

    login: str
    password: str = field(repr=False)


class SignIn:
    """The addresses of one Nextcloud for people who sign in. Methods may raise Throttled and Unreachable."""

    def __init__(self, url: str, transport: Transport | None = None) -> None:
        self._url = url.rstrip("/")
        self._client = DavClient(url, "", "", transport)
        self._base = urlsplit(url).path.rstrip("/") + "/index.php"

    def close(self) -> None:
        """Let go of the connection."""
        self._client.close()

    # Login Flow v2 -----------------------------------------------------------------------------------------------

    def start(self) -> Started:
        """Begin a login flow; it can be granted for twenty minutes. Raises AnotherAddress."""
        said = self._post("/login/v2", {})
        poll = said.get("poll")
        token = poll.get("token") if isinstance(poll, Mapping) else None
        login = said.get("login")
        if not isinstance(poll, Mapping) or not isinstance(token, str) or not isinstance(login, str):
            raise Unreachable("Nextcloud's answer to the begin of a login flow can't be read.")
        self._ours(str(poll.get("endpoint")))
        return Started(self._ours(login), token)

    def poll(self, token: str) -> Granted | None:
        """What came of a login flow; None until it is granted, and again after it was told once.

        Raises AnotherAddress.
        """
        said = self._post("/login/v2/poll", {"token": token}, nothing=404)
        if not said:
            return None
        login, password = said.get("loginName"), said.get("appPassword")
        if not isinstance(login, str) or not isinstance(password, str) or not login or not password:
            raise Unreachable("Nextcloud's answer to a login flow can't be read.")
        self._ours(str(said.get("server")))
        return Granted(login, password)

    # OAuth2 ------------------------------------------------------------------------------------------------------

    def authorize_url(self, client: str, state: str) -> str:
        """Where a person signs in; they come back to the address that is registered in Nextcloud."""
        query = urlencode({"response_type": "code", "client_id": client, "state": state})
        return f"{self._url}/index.php/apps/oauth2/authorize?{query}"

    def redeem(self, client: str, secret: str, code: str) -> str:
        """The access token for a code. Raises LoginFailed when Nextcloud does not take the code, or us.

        The client's secret goes into the form: as a Basic login it would be tried as somebody's password.
        """
        fields = {"grant_type": "authorization_code", "code": code, "client_id": client, "client_secret": secret}
        said = self._post("/apps/oauth2/api/v1/token", fields, nothing=400)
        token = said.get("access_token")
        if not isinstance(token, str) or not token:
            raise LoginFailed("Nextcloud does not accept the sign-in.")
        return token

    # Both --------------------------------------------------------------------------------------------------------

    def _ours(self, address: str) -> str:
        """The address if it is one of the server that NEXTCLOUD_URL names. Raises AnotherAddress."""
        there, here = urlsplit(address[:_LONGEST]), urlsplit(self._url)
        if (there.scheme, there.netloc.lower()) != (here.scheme, here.netloc.lower()):
            raise AnotherAddress(address[:_LONGEST])
        return address

    def _post(self, path: str, fields: Mapping[str, str], nothing: int = 0) -> Mapping[str, Any]:
        answer = self._client.request("POST", self._base + path, urlencode(fields).encode(), _FORM)
        if answer.status == nothing:
            return {}
        if answer.status != 200:
            raise Unreachable(f"Nextcloud answers the sign-in with an error ({answer.status}).")
        try:
            said = json.loads(answer.body)
        except (ValueError, RecursionError):
            raise Unreachable("Nextcloud's answer to the sign-in is no JSON.") from None
        return said if isinstance(said, Mapping) else {}
