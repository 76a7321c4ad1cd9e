"""Login Flow v2, OAuth2 and the API for accounts: docs/server-behaviour.md, "Nextcloud without the app"."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from lab.nextcloud.control import ADMIN, ADMIN_PASSWORD
from lab.nextcloud.remote import NextcloudControl
from tests.lab.nextcloud.client import Dav

OCS = {"OCS-APIRequest": "true"}
PASSWORD = "anna's password"
BACK = "https://connector.example.org/me/signed-in/"


@pytest.fixture
def http(control: NextcloudControl, anna: Dav) -> Iterator[httpx.Client]:
    """A client that is nobody yet; there is Anna, who logs in as ``anna`` and is ``anna-uid``."""
    with httpx.Client(base_url=control.url) as client:
        yield client


def start(http: httpx.Client) -> tuple[str, str]:
    """Begin a login flow: the address for the person, and the secret to ask with."""
    said = http.post("/index.php/login/v2", headers={"User-Agent": "A client"}).json()
    assert said["poll"]["endpoint"] == f"{http.base_url}/index.php/login/v2/poll".replace("//index", "/index")
    return said["login"], said["poll"]["token"]


def poll(http: httpx.Client, token: str) -> httpx.Response:
    """Ask what came of it."""
    return http.post("/index.php/login/v2/poll", data={"token": token})


def me(http: httpx.Client, **how: object) -> httpx.Response:
    """Ask who one is."""
    return http.get("/ocs/v2.php/cloud/user?format=json", headers=OCS, **how)  # type: ignore[arg-type]


def test_a_login_flow_tells_an_app_password_once(http: httpx.Client, control: NextcloudControl) -> None:
    login, token = start(http)
    assert poll(http, token).status_code == 404
    assert "A client asks for access" in http.get(login).text
    assert control.fill_in(login, "anna", "wrong").status_code == 200
    assert poll(http, token).status_code == 404
    assert "now be connected" in control.fill_in(login, "anna", PASSWORD).text
    said = poll(http, token).json()
    assert said["loginName"] == "anna"
    assert len(said["appPassword"]) == 72
    assert said["server"] == str(http.base_url).rstrip("/")
    assert poll(http, token).status_code == 404
    assert http.get(login).status_code == 403, "it is used up"
    assert me(http, auth=("anna", said["appPassword"])).json()["ocs"]["data"]["id"] == "anna-uid"


def test_polling_is_no_failed_login(http: httpx.Client, control: NextcloudControl) -> None:
    _, token = start(http)
    for _ in range(30):
        assert poll(http, token).status_code == 404
    assert me(http, auth=("anna", PASSWORD)).status_code == 200


def test_an_app_password_ends_itself(http: httpx.Client, control: NextcloudControl) -> None:
    password = control.new_token("anna-uid")
    gone = http.delete("/ocs/v2.php/core/apppassword", headers=OCS, auth=("anna", password))
    assert gone.status_code == 200
    assert me(http, auth=("anna", password)).status_code == 401
    refused = http.delete("/ocs/v2.php/core/apppassword", headers=OCS, auth=("anna", PASSWORD))
    assert refused.status_code == 403, "the account's own password is none"


def test_a_code_becomes_a_token_once(http: httpx.Client, control: NextcloudControl) -> None:
    client, secret = control.oauth_client(BACK)
    asked = f"/index.php/apps/oauth2/authorize?response_type=code&client_id={client}&state=s"
    assert "Sign in" in http.get(asked).text
    back = control.fill_in(asked, "anna", PASSWORD)
    assert back.status_code == 303
    assert back.headers["location"].startswith(BACK)
    query = parse_qs(urlsplit(back.headers["location"]).query)
    assert query["state"] == ["s"]
    form = {"grant_type": "authorization_code", "code": query["code"][0], "client_id": client}
    address = "/index.php/apps/oauth2/api/v1/token"
    assert http.post(address, data={**form, "client_secret": "x"}).json() == {"error": "invalid_client"}
    said = http.post(address, data={**form, "client_secret": secret}).json()
    assert said["user_id"] == "anna-uid"
    assert http.post(address, data={**form, "client_secret": secret}).status_code == 400
    bearer = {"Authorization": f"Bearer {said['access_token']}", **OCS}
    data = http.get("/ocs/v2.php/cloud/user?format=json", headers=bearer).json()["ocs"]["data"]
    assert (data["id"], data["email"], data["displayname"]) == ("anna-uid", "anna@lab.example", "Anna Berg")
    assert http.delete("/ocs/v2.php/core/apppassword", headers=bearer).status_code == 200
    assert http.get("/ocs/v2.php/cloud/user", headers=bearer).status_code == 401


def test_an_unknown_client_is_not_sent_anywhere(http: httpx.Client, control: NextcloudControl) -> None:
    answer = control.fill_in("/index.php/apps/oauth2/authorize?response_type=code&client_id=x", "anna", PASSWORD)
    assert answer.status_code == 200
    assert "not authorized" in answer.text


def test_the_api_wants_its_header_and_admins_for_groups(http: httpx.Client, control: NextcloudControl) -> None:
    control.change_user("anna-uid", groups=["pilot"])
    address = "/ocs/v2.php/cloud/groups/pilot/users?format=json"
    assert http.get(address, auth=(ADMIN, ADMIN_PASSWORD)).status_code == 412
    assert http.get(address, headers=OCS, auth=("anna", PASSWORD)).status_code == 403
    said = http.get(address, headers=OCS, auth=(ADMIN, ADMIN_PASSWORD)).json()
    assert said["ocs"]["data"] == {"users": ["anna-uid"]}
    assert http.get(address.replace("pilot", "x"), headers=OCS, auth=(ADMIN, ADMIN_PASSWORD)).status_code == 404
