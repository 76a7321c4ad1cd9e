"""The addresses with which tests and the demo arrange and inspect a lab Nextcloud. JSON both ways, no login.

GET    /lab                          what there is: accounts, collections with counts, settings
POST   /lab/reset                    forget everything but a new ``admin`` account
GET    /lab/users                    all accounts with their app passwords and consents
POST   /lab/users                    {uid, password, login?, email?, display_name?, groups?, collections?, examples?}
PUT    /lab/users/UID                {enabled?, password?, login?, email?, display_name?, groups?}
DELETE /lab/users/UID                the account and all it has
POST   /lab/users/UID/tokens         {name?, token?}: a new app password; answers {token}
DELETE /lab/users/UID/tokens         revoke all its app passwords
PUT    /lab/users/UID/consent        {status?, hidden?, overrides?}: as in lab.nextcloud.consent; answers {token}
GET    /lab/stats                    {requests, busy_seconds} since the start, as in lab.meter, and answer times
PUT    /lab/pace                     answer times, as in lab.pace
GET    /lab/objects?uid=UID          all objects of an account, with their text, those in the trash bin included
GET    /lab/mail      DELETE /lab/mail
GET    /lab/traffic?after=N          recorded requests       DELETE /lab/traffic
GET    /lab/faults    POST (add)     PUT (replace)           DELETE ?number=N or all       as in lab.faults
PUT    /lab/maintenance              {on}
PUT    /lab/secret                   {secret}: the consent app's shared secret
POST   /lab/oauth-clients            {redirect_uri}: as an admin registers one; answers {id, secret}
PUT    /lab/compression              {mode}: off, weak (ETags become W/"…") or suffix ("…-gzip")
DELETE /lab/logins                   forget failed logins
DELETE /lab/changes                  prune the change log: older sync tokens then silently miss changes
"""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from lab.faults import BadFault, FaultPlan
from lab.meter import Meter
from lab.nextcloud import accounts, consent, flows, shelves
from lab.nextcloud.accounts import Doorkeeper
from lab.nextcloud.provision import create_account
from lab.nextcloud.store import Store
from lab.nextcloud.traffic import Traffic
from lab.nextcloud.wire import Answer, BadRequestBody, Request, json_answer
from lab.pace import Pace

ADMIN, ADMIN_PASSWORD = "admin", "lab-admin-password"
COMPRESSIONS = ("off", "weak", "suffix")


class Control:
    """Answers requests below ``/lab``."""

    def __init__(
        self,
        store: Store,
        faults: FaultPlan,
        traffic: Traffic,
        doorkeeper: Doorkeeper,
        meter: Meter,
        pace: Pace,
    ) -> None:
        self._store = store
        self._faults = faults
        self._traffic = traffic
        self._doorkeeper = doorkeeper
        self._meter = meter
        self._pace = pace

    def answer(self, request: Request) -> Answer:
        """Dispatch by path; what can't be understood is answered 400 with the reason."""
        parts = request.path.removeprefix("/lab").strip("/").split("/")
        try:
            if parts[0] == "users":
                return self._users(request, parts[1:])
            return self._one(request, parts)
        except (BadRequestBody, BadFault, KeyError, TypeError, ValueError, sqlite3.IntegrityError) as error:
            return json_answer({"error": f"{type(error).__name__}: {error}"}, 400)

    def _one(self, request: Request, parts: list[str]) -> Answer:
        match (request.method, parts):
            case ("GET", [""]):
                return self._overview()
            case ("GET", ["health"]):
                return json_answer({"ok": True})
            case ("GET", ["stats"]):
                return json_answer(self._meter.to_json() | self._pace.to_json())
            case ("PUT", ["pace"]):
                self._pace.set_json(request.json())
            case ("POST", ["reset"]):
                return self._reset()
            case ("GET", ["objects"]):
                return self._objects(request.query["uid"])
            case (_, ["mail"]):
                return self._mail(request)
            case (_, ["traffic"]):
                return self._traffic_of(request)
            case (_, ["faults"]):
                return self._fault_plan(request)
            case ("PUT", ["maintenance"]):
                self._store.set_setting("maintenance", "on" if request.json()["on"] else "")
            case ("GET", ["secret"]):
                return json_answer({"secret": consent.secret(self._store)})
            case ("PUT", ["secret"]):
                self._store.set_setting("shared_secret", request.json()["secret"])
            case ("POST", ["oauth-clients"]):
                ident, secret = flows.add_client(self._store, request.json()["redirect_uri"])
                return json_answer({"id": ident, "secret": secret}, 201)
            case ("PUT", ["compression"]):
                self._set_compression(request.json()["mode"])
            case ("DELETE", ["logins"]):
                self._doorkeeper.forgive()
            case ("DELETE", ["changes"]):
                shelves.forget_changes(self._store)
            case _:
                return json_answer({"error": f"no such address: {request.method} {request.path}"}, 404)
        return Answer(204)

    def _overview(self) -> Answer:
        rows = self._store.rows(
            "SELECT owner, kind, uri, COUNT(object.id) AS objects FROM collection"
            " LEFT JOIN object ON object.collection = collection.id AND object.deleted_at IS NULL"
            " GROUP BY collection.id ORDER BY collection.id"
        )
        return json_answer(
            {
                "users": [account.uid for account in accounts.all_accounts(self._store)],
                "collections": [dict(row) for row in rows],
                "maintenance": self._store.setting("maintenance", "") == "on",
                "compression": self._store.setting("compression", COMPRESSIONS[0]),
                "failed_logins": self._doorkeeper.failures(),
            }
        )

    def _reset(self) -> Answer:
        self._store.empty()
        self._faults.clear()
        self._traffic.clear()
        self._doorkeeper.forgive()
        ensure_admin(self._store)
        return Answer(204)

    def _users(self, request: Request, rest: list[str]) -> Answer:
        if not rest:
            return self._create_user(request) if request.method == "POST" else self._list_users()
        uid = rest[0]
        if accounts.load(self._store, uid) is None:
            return json_answer({"error": f"no such user: {uid}"}, 404)
        match (request.method, rest[1:]):
            case ("DELETE", []):
                self._store.run("DELETE FROM account WHERE uid = ?", uid)
                return Answer(204)
            case ("PUT", []):
                return self._change_user(uid, request.json())
            case ("POST", ["tokens"]):
                wanted = request.json()
                token = accounts.new_app_password(self._store, uid, wanted.get("name", "lab"), wanted.get("token"))
                return json_answer({"token": token}, 201)
            case ("DELETE", ["tokens"]):
                self._store.run("DELETE FROM app_password WHERE uid = ?", uid)
                return Answer(204)
            case ("PUT", ["consent"]):
                return self._consent(uid, request.json())
        return json_answer({"error": "not possible here"}, 405)

    def _create_user(self, request: Request) -> Answer:
        wanted = request.json()
        wanted["groups"] = tuple(wanted.get("groups", ()))
        create_account(self._store, **wanted)
        return json_answer({"uid": wanted["uid"]}, 201)

    def _change_user(self, uid: str, wanted: dict[str, Any]) -> Answer:
        columns = {"enabled", "password", "login", "email", "display_name", "groups"}
        if set(wanted) - columns:
            raise KeyError(f"unknown: {sorted(set(wanted) - columns)}")
        for name, value in wanted.items():
            stored = json.dumps(value) if name == "groups" else value
            self._store.run(f"UPDATE account SET {name} = ? WHERE uid = ?", stored, uid)
        return Answer(204)

    def _list_users(self) -> Answer:
        listed = []
        for account in accounts.all_accounts(self._store):
            tokens = self._store.rows("SELECT token FROM app_password WHERE uid = ?", account.uid)
            given = self._store.row("SELECT status, hidden FROM consent WHERE uid = ?", account.uid)
            listed.append(
                {
                    "uid": account.uid,
                    "login": account.login,
                    "email": account.email,
                    "display_name": account.display_name,
                    "groups": list(account.groups),
                    "enabled": account.enabled,
                    "tokens": [row["token"] for row in tokens],
                    "consent": None if given is None else {"status": given["status"], "hidden": bool(given["hidden"])},
                }
            )
        return json_answer(listed)

    def _consent(self, uid: str, wanted: dict[str, Any]) -> Answer:
        token = consent.give(self._store, uid, wanted.get("status", consent.ACTIVE), wanted.get("overrides"))
        if "hidden" in wanted:
            consent.hide(self._store, uid, bool(wanted["hidden"]))
        return json_answer({"token": token})

    def _objects(self, uid: str) -> Answer:
        rows = self._store.rows(
            "SELECT kind, collection.uri AS collection, object.uri AS uri, uid, etag, object.deleted_at, data"
            " FROM object JOIN collection ON collection.id = object.collection WHERE owner = ? ORDER BY object.id",
            uid,
        )
        return json_answer([{**dict(row), "data": row["data"].decode()} for row in rows])

    def _mail(self, request: Request) -> Answer:
        if request.method == "DELETE":
            self._store.run("DELETE FROM mail")
            return Answer(204)
        return json_answer([dict(row) for row in self._store.rows("SELECT * FROM mail ORDER BY id")])

    def _traffic_of(self, request: Request) -> Answer:
        if request.method == "DELETE":
            self._traffic.clear()
            return Answer(204)
        return json_answer(self._traffic.entries(int(request.query.get("after", "0"))))

    def _fault_plan(self, request: Request) -> Answer:
        match request.method:
            case "POST":
                return json_answer({"numbers": self._faults.add_json(request.json())}, 201)
            case "PUT":
                return json_answer({"numbers": self._faults.replace_json(request.json())})
            case "DELETE":
                number = request.query.get("number")
                self._faults.clear(int(number) if number else None)
                return Answer(204)
        return json_answer(self._faults.to_json())

    def _set_compression(self, mode: str) -> None:
        if mode not in COMPRESSIONS:
            raise ValueError(f"mode: one of {COMPRESSIONS}")
        self._store.set_setting("compression", mode)


def ensure_admin(store: Store) -> None:
    """Create the account ``admin`` where there is no account at all."""
    if not accounts.all_accounts(store):
        create_account(store, ADMIN, ADMIN_PASSWORD, display_name="Admin", groups=("admin",), collections=False)
