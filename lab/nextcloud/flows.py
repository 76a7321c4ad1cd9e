"""How people let clients in: Login Flow v2 and OAuth2, with pages that a person, or a test, fills in.

docs/server-behaviour.md, "Nextcloud without the app". The real pages are more, and made of scripts; what counts here is
who may do what, once, and for how long.
"""

from __future__ import annotations

import html
import secrets
import time
from urllib.parse import urlencode

from lab.nextcloud import accounts
from lab.nextcloud.accounts import TOKEN_CHARACTERS, Account
from lab.nextcloud.store import Store
from lab.nextcloud.wire import Answer, Request, json_answer

LOGIN = "/index.php/login/v2"
OAUTH = "/index.php/apps/oauth2"
FLOW_SECONDS, CODE_SECONDS = 20 * 60, 10 * 60
_TOKEN_LENGTH = 128
_PAGE = {"Content-Type": "text/html; charset=utf-8"}


def add_client(store: Store, redirect_uri: str) -> tuple[str, str]:
    """Register an OAuth2 client, as an admin does; its id and secret."""
    ident, secret = _random(64), _random(64)
    store.run("INSERT INTO oauth_client VALUES (?, ?, ?)", ident, secret, redirect_uri)
    return ident, secret


def serves(path: str) -> bool:
    """Whether an address is one of these."""
    return path == LOGIN or path.startswith((f"{LOGIN}/", f"{OAUTH}/"))


def answer(store: Store, request: Request) -> Answer:
    """Answer a request; nobody has to be logged in for it."""
    match request.method, request.path.removeprefix("/index.php").strip("/").split("/"):
        case "POST", ["login", "v2"]:
            return _start(store, request)
        case "POST", ["login", "v2", "poll"]:
            return _poll(store, request)
        case (("GET" | "POST"), ["login", "v2", "flow", token]):
            return _flow(store, request, token)
        case (("GET" | "POST"), ["apps", "oauth2", "authorize"]):
            return _authorize(store, request)
        case "POST", ["apps", "oauth2", "api", "v1", "token"]:
            return _token(store, request)
    return Answer(404, b"File not found")


# Login Flow v2 -------------------------------------------------------------------------------------------------------


def _start(store: Store, request: Request) -> Answer:
    poll, login = _random(_TOKEN_LENGTH), _random(_TOKEN_LENGTH)
    name = request.header("user-agent")
    store.run("INSERT INTO login_flow VALUES (?, ?, ?, ?, '', '')", poll, login, name, time.time())
    base = _base(request)
    return json_answer(
        {"poll": {"token": poll, "endpoint": f"{base}{LOGIN}/poll"}, "login": f"{base}{LOGIN}/flow/{login}"}
    )


def _poll(store: Store, request: Request) -> Answer:
    row = store.row("SELECT * FROM login_flow WHERE poll_token = ? AND begun_at > ?", request.form().get("token", ""),
                    time.time() - FLOW_SECONDS)  # fmt: skip
    if row is None or not row["password"]:
        return json_answer([], 404)
    store.run("DELETE FROM login_flow WHERE poll_token = ?", row["poll_token"])
    return json_answer({"server": _base(request), "loginName": row["login"], "appPassword": row["password"]})


def _flow(store: Store, request: Request, token: str) -> Answer:
    row = store.row("SELECT * FROM login_flow WHERE login_token = ? AND begun_at > ? AND password = ''", token,
                    time.time() - FLOW_SECONDS)  # fmt: skip
    if row is None:
        return _page("Access forbidden", "Your login token is invalid or has expired", 403)
    account = _who(store, request)
    if account is None:
        return _form(f"{row['client']} asks for access to your account", "Grant access")
    password = accounts.new_app_password(store, account.uid, row["client"])
    store.run("UPDATE login_flow SET login = ?, password = ? WHERE login_token = ?", account.login, password, token)
    return _page("Account connected", "Your client should now be connected! You can close this window.")


# OAuth2 --------------------------------------------------------------------------------------------------------------


def _authorize(store: Store, request: Request) -> Answer:
    client = store.row("SELECT * FROM oauth_client WHERE id = ?", request.query.get("client_id", ""))
    if client is None:
        return _page("Client not found", "Your client is not authorized to connect.")
    state = request.query.get("state", "")
    if request.query.get("response_type") != "code":
        return _redirect(client["redirect_uri"], {"error": "unsupported_response_type", "state": state})
    account = _who(store, request)
    if account is None:
        return _form("Sign in to go on", "Sign in")
    code = _random(_TOKEN_LENGTH)
    store.run("INSERT INTO oauth_code VALUES (?, ?, ?, ?)", code, client["id"], account.uid, time.time())
    return _redirect(client["redirect_uri"], {"state": state, "code": code})


def _token(store: Store, request: Request) -> Answer:
    given = request.form()
    if given.get("grant_type") not in ("authorization_code", "refresh_token"):
        return json_answer({"error": "invalid_grant"}, 400)
    row = store.row("SELECT * FROM oauth_code WHERE code = ?", given.get("code", ""))
    if row is None or row["made_at"] < time.time() - CODE_SECONDS:
        return json_answer({"error": "invalid_request"}, 400)
    client = store.row("SELECT * FROM oauth_client WHERE id = ?", row["client"])
    if client is None or (client["id"], client["secret"]) != (given.get("client_id"), given.get("client_secret")):
        return json_answer({"error": "invalid_client"}, 400)
    store.run("DELETE FROM oauth_code WHERE code = ?", row["code"])
    token = accounts.new_app_password(store, row["uid"], "oauth")
    told = {"access_token": token, "token_type": "Bearer", "expires_in": 3600, "refresh_token": _random(128)}
    return json_answer({**told, "user_id": row["uid"]})


# Both ----------------------------------------------------------------------------------------------------------------


def _who(store: Store, request: Request) -> Account | None:
    """Who fills in the page: name and password of an account that is not disabled."""
    if request.method != "POST":
        return None
    given = request.form()
    row = store.row(
        "SELECT uid FROM account WHERE password = ? AND password != '' AND enabled AND (login = ?2 OR uid = ?2)",
        given.get("password", ""),
        given.get("user", ""),
    )
    return None if row is None else accounts.load(store, row["uid"])


def _base(request: Request) -> str:
    return f"http://{request.header('host')}"


def _random(length: int) -> str:
    return "".join(secrets.choice(TOKEN_CHARACTERS) for _ in range(length))


def _redirect(address: str, query: dict[str, str]) -> Answer:
    return Answer(303, headers={"Location": f"{address}?{urlencode(query)}"})


def _page(title: str, text: str, status: int = 200) -> Answer:
    body = f"<!doctype html><title>{html.escape(title)}</title><h1>{html.escape(title)}</h1><p>{html.escape(text)}</p>"
    return Answer(status, body.encode(), dict(_PAGE))


def _form(title: str, button: str) -> Answer:
    fields = '<p><input name="user" autofocus> <input name="password" type="password"> '
    body = f"<!doctype html><title>{html.escape(title)}</title><h1>{html.escape(title)}</h1>"
    body += f'<form method="post">{fields}<button>{button}</button></p></form>'
    return Answer(200, body.encode(), dict(_PAGE))
