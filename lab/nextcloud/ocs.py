"""The OCS API for accounts: who one is, who is in a group, and the end of an app password."""

from __future__ import annotations

from lab.nextcloud import accounts
from lab.nextcloud.accounts import Account
from lab.nextcloud.store import Store
from lab.nextcloud.wire import Answer, Request, json_answer

ROOT = "/ocs/v2.php"


def without_header(request: Request) -> bool:
    """Whether the header is missing without which the API takes a call for a forged one."""
    return request.header("ocs-apirequest") != "true"


def answer(store: Store, account: Account, request: Request) -> Answer:
    """Answer a request from somebody who is logged in."""
    match request.method, request.path.removeprefix(ROOT).strip("/").split("/"):
        case "GET", ["cloud", "user"]:
            return _done(
                {
                    "id": account.uid,
                    "enabled": account.enabled,
                    "email": account.email,
                    "displayname": account.display_name,
                    "display-name": account.display_name,
                    "groups": list(account.groups),
                }
            )
        case "GET", ["cloud", "groups", group, "users"]:
            return _members(store, account, group)
        case "DELETE", ["core", "apppassword"]:
            return _revoke(store, account, request)
    return failed(404, 998, "Invalid query, please check the syntax.")


def _members(store: Store, account: Account, group: str) -> Answer:
    if not account.is_admin:
        return failed(403, 403, "")
    members = [each.uid for each in accounts.all_accounts(store) if group in each.groups]
    return _done({"users": members}) if members else failed(404, 404, "The requested group could not be found")


def _revoke(store: Store, account: Account, request: Request) -> Answer:
    used = accounts.password_of(request)
    if store.row("SELECT 1 FROM app_password WHERE token = ? AND uid = ?", used, account.uid) is None:
        return failed(403, 403, "no app password in use")
    store.run("DELETE FROM app_password WHERE token = ?", used)
    return _done([])


def failed(status: int, code: int, message: str) -> Answer:
    """A refusal in the API's envelope."""
    return json_answer(
        {"ocs": {"meta": {"status": "failure", "statuscode": code, "message": message}, "data": []}}, status
    )


def _done(data: object) -> Answer:
    return json_answer({"ocs": {"meta": {"status": "ok", "statuscode": 200, "message": "OK"}, "data": data}})
