"""The control addresses of a running lab Nextcloud as methods, for tests, the demo and the command line."""

from __future__ import annotations

from typing import Any, cast

import httpx

from lab.nextcloud.control import ADMIN, ADMIN_PASSWORD


class NextcloudControl:
    """Arranges and inspects one lab Nextcloud; the answers are described in ``lab.nextcloud.control``.

    Methods raise httpx.HTTPStatusError with the server's reason when a call makes no sense.
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._client = httpx.Client(base_url=self.url, timeout=30)

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def call(self, method: str, path: str, json: Any = None, **query: str) -> Any:
        """One call below ``/lab``; returns the JSON of the answer, None when there is none."""
        answer = self._client.request(method, f"/lab{path}", json=json, params=query)
        if answer.is_error:
            raise httpx.HTTPStatusError(f"{answer.status_code}: {answer.text}", request=answer.request, response=answer)
        return answer.json() if answer.content else None

    def overview(self) -> dict[str, Any]:
        """What there is."""
        return cast("dict[str, Any]", self.call("GET", ""))

    def reset(self) -> None:
        """Forget everything but a new ``admin`` account."""
        self.call("POST", "/reset")

    def create_user(self, uid: str, password: str, **details: Any) -> None:
        """A new account; details: login, email, display_name, groups, collections, examples."""
        self.call("POST", "/users", {"uid": uid, "password": password, **details})

    def change_user(self, uid: str, **changes: Any) -> None:
        """Change enabled, password, login, email, display_name or groups."""
        self.call("PUT", f"/users/{uid}", changes)

    def delete_user(self, uid: str) -> None:
        """Delete an account with all it has."""
        self.call("DELETE", f"/users/{uid}")

    def users(self) -> list[dict[str, Any]]:
        """All accounts."""
        return cast("list[dict[str, Any]]", self.call("GET", "/users"))

    def new_token(self, uid: str, name: str = "lab", token: str | None = None) -> str:
        """A new app password."""
        return str(self.call("POST", f"/users/{uid}/tokens", {"name": name, "token": token})["token"])

    def revoke_tokens(self, uid: str) -> None:
        """Revoke all app passwords of an account."""
        self.call("DELETE", f"/users/{uid}/tokens")

    def consent(self, uid: str, **details: Any) -> str:
        """Let a user consent; details: status, hidden, overrides. Returns the app password behind the consent."""
        return str(self.call("PUT", f"/users/{uid}/consent", details)["token"])

    def set_secret(self, secret: str) -> None:
        """Set the consent app's shared secret."""
        self.call("PUT", "/secret", {"secret": secret})

    def oauth_client(self, redirect_uri: str) -> tuple[str, str]:
        """Register an OAuth2 client; its id and secret."""
        made = self.call("POST", "/oauth-clients", {"redirect_uri": redirect_uri})
        return str(made["id"]), str(made["secret"])

    def fill_in(self, address: str, user: str, password: str) -> httpx.Response:
        """What a person does on a page of a login flow or of OAuth2: sign in, and allow it."""
        return self._client.post(address, data={"user": user, "password": password})

    def maintenance(self, on: bool) -> None:
        """Switch maintenance mode."""
        self.call("PUT", "/maintenance", {"on": on})

    def compression(self, mode: str) -> None:
        """Set what compression does to ETags: off, weak, suffix."""
        self.call("PUT", "/compression", {"mode": mode})

    def forgive_logins(self) -> None:
        """Forget failed logins."""
        self.call("DELETE", "/logins")

    def forget_changes(self) -> None:
        """Prune the change log."""
        self.call("DELETE", "/changes")

    def objects(self, uid: str) -> list[dict[str, Any]]:
        """All objects of an account."""
        return cast("list[dict[str, Any]]", self.call("GET", "/objects", uid=uid))

    def mail(self) -> list[dict[str, Any]]:
        """The mail that would have gone out."""
        return cast("list[dict[str, Any]]", self.call("GET", "/mail"))

    def clear_mail(self) -> None:
        """Empty the mail ledger."""
        self.call("DELETE", "/mail")

    def traffic(self, after: int = 0) -> list[dict[str, Any]]:
        """Recorded requests."""
        return cast("list[dict[str, Any]]", self.call("GET", "/traffic", after=str(after)))

    def clear_traffic(self) -> None:
        """Forget recorded requests."""
        self.call("DELETE", "/traffic")

    def fail(self, *faults: dict[str, Any]) -> list[int]:
        """Add faults to the plan (lab.faults); returns their numbers."""
        return cast("list[int]", self.call("POST", "/faults", list(faults))["numbers"])

    def faults(self) -> list[dict[str, Any]]:
        """The plan, with counts."""
        return cast("list[dict[str, Any]]", self.call("GET", "/faults"))

    def clear_faults(self) -> None:
        """Empty the plan."""
        self.call("DELETE", "/faults")


__all__ = ["ADMIN", "ADMIN_PASSWORD", "NextcloudControl"]
