"""The lab's own controls: people, faults, traffic, the mail ledger. No EWS, no login; the server is on loopback."""

# ruff: noqa: ARG002 - all controls share one signature
from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs

from lab.exchange.access import Access
from lab.exchange.autodiscover import Autodiscover
from lab.exchange.oauth import BadApp, Directory
from lab.exchange.properties import KINDS
from lab.exchange.records import Account, Mailbox
from lab.exchange.store import Store
from lab.exchange.traffic import Traffic
from lab.exchange.view import View
from lab.faults import BadFault, FaultPlan
from lab.meter import Meter
from lab.pace import BadPace, Pace

Result = tuple[int, Any]


class _Refused(ValueError):
    """A control request that can't be understood; the message says why."""


def _text(data: Any, name: str, default: str | None = None) -> str:
    """A string of a control request's JSON object."""
    value = data.get(name, default)
    if not isinstance(value, str) or not value:
        raise _Refused(f"{name} must be a text")
    return value


class Controls:
    """Answers ``/lab/*``: JSON in, JSON out (see lab.exchange for the list)."""

    def __init__(
        self,
        store: Store,
        faults: FaultPlan,
        traffic: Traffic,
        meter: Meter,
        pace: Pace,
        access: Access,
        directory: Directory,
        autodiscover: Autodiscover,
    ) -> None:
        self._store = store
        self._faults = faults
        self._traffic = traffic
        self._meter = meter
        self._pace = pace
        self._access = access
        self._directory = directory
        self._autodiscover = autodiscover

    def handle(self, method: str, path: str, environ: dict[str, Any], body: bytes | None) -> Result:
        """The answer to one control request as (status, JSON value)."""
        query = {name: values[-1] for name, values in parse_qs(environ.get("QUERY_STRING", "")).items()}
        handler = getattr(self, f"_{method.lower()}_{path.removeprefix('/lab/').strip('/')}", None)
        if handler is None:
            return 404, {"error": f"no control {method} {path}"}
        try:
            data = json.loads(body) if body else {}
            if not isinstance(data, dict) and not handler.__name__.endswith("_faults"):
                raise _Refused("this control takes a JSON object")
            result: Result = (200, handler(data, query))
        except (_Refused, BadApp, BadFault, BadPace, json.JSONDecodeError) as error:
            return 400, {"error": str(error)}
        except KeyError as error:
            return 400, {"error": f"{error.args[0]} is missing"}
        return result

    def _get_health(self, data: Any, query: dict[str, str]) -> Any:
        return {"ok": True}

    def _get_stats(self, data: Any, query: dict[str, str]) -> Any:
        return self._meter.to_json() | self._pace.to_json()

    def _put_pace(self, data: Any, query: dict[str, str]) -> Any:
        self._pace.set_json(data)
        return {}

    # people

    def _get_mailboxes(self, data: Any, query: dict[str, str]) -> Any:
        with self._store.lock:
            return [{"address": mailbox.address, "name": mailbox.name} for mailbox in self._store.mailboxes()]

    def _post_mailboxes(self, data: Any, query: dict[str, str]) -> Any:
        address = _text(data, "address")
        with self._store.writing():
            mailbox = self._store.put_mailbox(address, _text(data, "name", address))
            if "password" in data:
                account = self._store.account(address)
                allowed = account.impersonates if account else frozenset()
                self._store.put_account(Account(address, _text(data, "password"), mailbox.id, allowed))
        return {"address": mailbox.address, "name": mailbox.name}

    def _delete_mailboxes(self, data: Any, query: dict[str, str]) -> Any:
        with self._store.writing():
            self._store.delete_mailbox(self._mailbox(query["address"]))
        return {}

    def _post_accounts(self, data: Any, query: dict[str, str]) -> Any:
        impersonates = data.get("impersonates", [])
        if impersonates != "*" and not isinstance(impersonates, list):
            raise _Refused('impersonates: a list of addresses, or "*"')
        names = ["*"] if impersonates == "*" else [str(name).lower() for name in impersonates]
        with self._store.writing():
            known = self._store.account(_text(data, "name"))
            mailbox = known.mailbox if known else None
            self._store.put_account(Account(data["name"], _text(data, "password"), mailbox, frozenset(names)))
        return {"name": data["name"], "impersonates": names}

    def _mailbox(self, address: str) -> Mailbox:
        mailbox = self._store.mailbox(address)
        if mailbox is None:
            raise _Refused(f"no mailbox {address}")
        return mailbox

    def _post_reset(self, data: Any, query: dict[str, str]) -> Any:
        self._store.reset(keep_accounts=bool(data.get("keep_accounts", True)))
        self._faults.clear()
        self._traffic.clear()
        self._access.reset()
        self._directory.reset()
        self._autodiscover.set_json({})
        return {}

    # logins

    def _get_logins(self, data: Any, query: dict[str, str]) -> Any:
        return self._access.to_json()

    def _put_lockout(self, data: Any, query: dict[str, str]) -> Any:
        self._access.lock_after(data.get("after"), float(data.get("seconds", 1800)))
        return {}

    def _put_expiry(self, data: Any, query: dict[str, str]) -> Any:
        self._access.expire(_text(data, "name"), expired=bool(data.get("expired", True)))
        return {}

    def _put_limits(self, data: Any, query: dict[str, str]) -> Any:
        self._access.limit(data.get("requests_per_account"))
        return {}

    def _post_apps(self, data: Any, query: dict[str, str]) -> Any:
        self._directory.register(data)
        return {}

    def _put_tokens(self, data: Any, query: dict[str, str]) -> Any:
        self._directory.revoke(float(data.get("seconds", 3600)))
        return {}

    def _put_autodiscover(self, data: Any, query: dict[str, str]) -> Any:
        self._autodiscover.set_json(data)
        return {}

    # contents

    def _get_items(self, data: Any, query: dict[str, str]) -> Any:
        """What a mailbox holds as typed properties: for a person who lists the lab, not for a client."""
        with self._store.lock:
            mailbox = self._mailbox(query["mailbox"])
            folder = self._store.folder_by_role(mailbox, query.get("folder", "calendar"))
            if folder is None:
                raise _Refused("no such folder")
            return [self._listed(View(self._store, item)) for item in self._store.items(folder)]

    def _listed(self, view: View) -> dict[str, Any]:
        overrides = [
            {"original": each.original, "deleted": each.deleted, "props": each.props}
            for each in (self._store.overrides(view.item) if view.is_master else ())
        ]
        return {
            "id": view.ident,
            "change_key": view.change_key,
            "element": KINDS[view.kind][0],
            "props": view.props,
            "extended": view.extended,
            "overrides": overrides,
            "attachments": [attachment.name for attachment in view.attachments],
        }

    def _post_organizer(self, data: Any, query: dict[str, str]) -> Any:
        """Make a calendar item one that somebody else organises, as if the invitation had been received."""
        with self._store.writing():
            address = _text(data, "address")
            item = self._store.item_by_ident(_text(data, "item"))
            if item is None or item.kind != "calendar":
                raise _Refused("no such calendar item")
            item.props["Organizer"] = {"name": _text(data, "name", address), "address": address}
            item.props["IsCancelled"] = bool(data.get("cancelled", False))
            return {"change_key": View(self._store, self._store.save_item(item)).change_key}

    # faults, mail, traffic

    def _get_faults(self, data: Any, query: dict[str, str]) -> Any:
        return self._faults.to_json()

    def _post_faults(self, data: Any, query: dict[str, str]) -> Any:
        return {"numbers": self._faults.add_json(data)}

    def _put_faults(self, data: Any, query: dict[str, str]) -> Any:
        return {"numbers": self._faults.replace_json(data)}

    def _delete_faults(self, data: Any, query: dict[str, str]) -> Any:
        self._faults.clear(int(query["number"]) if "number" in query else None)
        return {}

    def _get_mail(self, data: Any, query: dict[str, str]) -> Any:
        with self._store.lock:
            return [m for m in self._store.mail() if query.get("mailbox", m["mailbox"]) == m["mailbox"]]

    def _delete_mail(self, data: Any, query: dict[str, str]) -> Any:
        self._store.clear_mail()
        return {}

    def _get_traffic(self, data: Any, query: dict[str, str]) -> Any:
        return self._traffic.to_json()

    def _post_traffic(self, data: Any, query: dict[str, str]) -> Any:
        self._traffic.switch(bool(data["record"]), int(data.get("keep", 1000)))
        return {"record": self._traffic.recording}

    def _delete_traffic(self, data: Any, query: dict[str, str]) -> Any:
        self._traffic.clear()
        return {}
