"""The consent app "Sendent Sync": who has allowed the sync, and with which app password.

docs/server-behaviour.md, "Nextcloud: consent app". Tokens are encrypted with the shared secret when they are handed
out, so a changed secret takes effect at once, as the app re-encrypts all of them.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import random
from typing import Any

from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from lab.nextcloud import accounts
from lab.nextcloud.accounts import Account
from lab.nextcloud.provision import DEFAULT_BOOK, DEFAULT_CALENDAR
from lab.nextcloud.store import Store
from lab.nextcloud.wire import Answer, Request, json_answer

PREFIX = "/index.php/apps/sendentsynchroniser/api/1.0"
INACTIVE, ACTIVE, RETRACTED = 0, 1, 2
DEFAULT_SECRET = "lab-shared-secret"
MAX_LIMIT = 1000


def secret(store: Store) -> str:
    """The installation's shared secret."""
    return store.setting("shared_secret", DEFAULT_SECRET)


def encrypt(token: str, shared_secret: str, iv: bytes | None = None) -> str:
    """A token as the app hands it out: base64(IV, HMAC-SHA256 of the ciphertext, AES-256-CBC ciphertext)."""
    key = hashlib.md5(shared_secret.encode(), usedforsecurity=False).hexdigest().encode()
    iv = iv or os.urandom(16)
    padder = padding.PKCS7(128).padder()
    padded = padder.update(token.encode()) + padder.finalize()
    encryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    ciphertext = encryptor.update(padded) + encryptor.finalize()
    return base64.b64encode(iv + hmac.digest(key, ciphertext, "sha256") + ciphertext).decode()


def give(store: Store, uid: str, status: int = ACTIVE, overrides: dict[str, Any] | None = None) -> str:
    """Let a user consent (or change the consent's state); returns the app password behind it.

    ``overrides`` replace fields of the list entry; a field set to the string ``"__missing__"`` is left out of it.
    """
    row = store.row("SELECT token, overrides FROM consent WHERE uid = ?", uid)
    token = row["token"] if row else accounts.new_app_password(store, uid, "sendentsynchroniser")
    kept = json.loads(row["overrides"]) if row else {}
    store.run(
        "INSERT INTO consent (uid, status, token, overrides) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (uid) DO UPDATE SET status = ?2, overrides = ?4",
        uid,
        status,
        token,
        json.dumps(kept if overrides is None else overrides),
    )
    return str(token)


def hide(store: Store, uid: str, hidden: bool) -> None:
    """Take a user out of the app's group, or back in: not listed, but the token goes on working."""
    store.run("UPDATE consent SET hidden = ? WHERE uid = ?", int(hidden), uid)


def answer(store: Store, account: Account, request: Request) -> Answer:
    """Answer a request to the app's API from somebody who is logged in."""
    call = (request.method, request.path.removeprefix(PREFIX))
    if call == ("GET", "/status"):
        return json_answer({"Version": "1.0.0", "CurrentUserId": account.uid, "ValidLicense": True})
    if call not in (("GET", "/user/actives"), ("POST", "/user/invalidate")):
        return json_answer({"message": "Not found"}, 404)
    if not account.is_admin:
        return json_answer({"message": "Logged in account must be an admin"}, 403)
    return _actives(store, request) if request.method == "GET" else _invalidate(store, request)


def _actives(store: Store, request: Request) -> Answer:
    key = secret(store)
    rows = store.rows("SELECT * FROM consent WHERE status = ? AND NOT hidden", ACTIVE)
    listed = [_entry(store, row, key) for row in rows]
    # The app promises no order, and does not keep one between pages either.
    random.shuffle(listed)
    if "page" not in request.query and "limit" not in request.query:
        return json_answer(listed)
    page = max(1, _number(request.query.get("page"), 1))
    limit = min(MAX_LIMIT, max(1, _number(request.query.get("limit"), MAX_LIMIT)))
    pages = -(-len(listed) // limit)
    pagination = {"page": page, "limit": limit, "total": len(listed), "totalPages": pages}
    return json_answer({"data": listed[(page - 1) * limit : page * limit], "pagination": pagination})


def _entry(store: Store, row: Any, key: str) -> dict[str, Any]:
    account = accounts.load(store, row["uid"])
    assert account is not None
    entry = {
        "id": row["id"],
        "uid": account.uid,
        "username": account.login,
        "token": encrypt(row["token"], key),
        "active": row["status"],
        "email": account.email,
        "displayName": account.display_name,
        "calendar": DEFAULT_CALENDAR,
        "addressbook": DEFAULT_BOOK,
        **json.loads(row["overrides"]),
    }
    return {name: value for name, value in entry.items() if value != "__missing__"}


def _invalidate(store: Store, request: Request) -> Answer:
    uid = request.form().get("userId") or request.query.get("userId")
    if not uid:
        return json_answer({"status": "error", "message": "Missing userId"}, 400)
    if store.row("SELECT 1 FROM consent WHERE uid = ?", uid) is None:
        return json_answer({"status": "error", "message": "User not found"})
    store.run("UPDATE consent SET status = ? WHERE uid = ?", INACTIVE, uid)
    return json_answer({"status": "success", "message": "User invalidated"})


def _number(text: str | None, default: int) -> int:
    return int(text) if text and text.lstrip("-").isdigit() else default
