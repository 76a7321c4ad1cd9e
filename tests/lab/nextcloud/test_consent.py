"""The consent app's endpoints (docs/server-behaviour.md, "Nextcloud: consent app")."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Iterator

import httpx
import pytest
from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from lab.nextcloud.consent import PREFIX, encrypt
from lab.nextcloud.remote import ADMIN, ADMIN_PASSWORD, NextcloudControl
from tests.lab.nextcloud.client import Dav

VECTOR = (
    "AAECAwQFBgcICQoLDA0OD3XEbMIsifFcJkQAkYuY90oJrw2SOYv+LKtzps/PdezEAAbtPeVEcV4SJJua2zYpBAoufJ3GPHgfMQ3tlVle"
    "/7j0jvU+jo5Tg8RMN0n/oz3s9TfWzXJcyaFOyxGh7raVk9f3QjgROqs9QohtpH3NyuI="
)


@pytest.fixture
def admin(control: NextcloudControl) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{control.url}{PREFIX}", auth=(ADMIN, ADMIN_PASSWORD)) as client:
        yield client


def decrypt(token: str, secret: str) -> str:
    """Written after the description, apart from the lab's own code."""
    raw = base64.b64decode(token)
    iv, mac, ciphertext = raw[:16], raw[16:48], raw[48:]
    key = hashlib.md5(secret.encode()).hexdigest().encode()
    assert hmac.new(key, ciphertext, hashlib.sha256).digest() == mac
    decryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).decryptor()
    padded = decryptor.update(ciphertext) + decryptor.finalize()
    unpadder = padding.PKCS7(128).unpadder()
    return (unpadder.update(padded) + unpadder.finalize()).decode()


def test_the_token_format_is_the_one_that_was_measured() -> None:
    assert encrypt("Ab1" * 24, "s3cr3t-é", bytes(range(16))) == VECTOR


def test_it_lists_those_who_consented_with_a_token_that_works(
    anna: Dav, control: NextcloudControl, admin: httpx.Client
) -> None:
    control.set_secret("s3cr3t-é")
    token = control.consent("anna-uid")
    [listed] = admin.get("/user/actives").json()
    encrypted = listed.pop("token")
    assert listed.pop("id") > 0
    assert listed == {
        "uid": "anna-uid",
        "username": "anna",
        "active": 1,
        "email": "anna@lab.example",
        "displayName": "Anna Berg",
        "calendar": "personal",
        "addressbook": "contacts",
    }
    assert decrypt(encrypted, "s3cr3t-é") == token
    assert re.fullmatch(r"[A-Za-z0-9]{72}", token)
    with Dav(control.url, "anna", token, "anna-uid") as client:
        assert client.propfind(client.calendar, "d:displayname").status == 207


def test_pages_cover_everybody_once_their_order_is_made_stable(control: NextcloudControl, admin: httpx.Client) -> None:
    for number in range(5):
        control.create_user(f"user-{number}", "a password", collections=False)
        control.consent(f"user-{number}")
    page = admin.get("/user/actives", params={"page": 2, "limit": 2}).json()
    assert page["pagination"] == {"page": 2, "limit": 2, "total": 5, "totalPages": 3}
    assert len(page["data"]) == 2
    whole = admin.get("/user/actives", params={"page": 1, "limit": 9999}).json()
    assert whole["pagination"]["limit"] == 1000
    assert {entry["uid"] for entry in whole["data"]} == {f"user-{number}" for number in range(5)}


@pytest.mark.parametrize("state", [{"status": 0}, {"status": 2}, {"hidden": True}])
def test_only_active_members_are_listed(
    anna: Dav, control: NextcloudControl, admin: httpx.Client, state: dict[str, object]
) -> None:
    token = control.consent("anna-uid", **state)
    assert admin.get("/user/actives").json() == []
    with Dav(control.url, "anna", token, "anna-uid") as client:
        assert client.propfind(client.calendar, "d:displayname").status == 207


def test_a_disabled_account_stays_listed(anna: Dav, control: NextcloudControl, admin: httpx.Client) -> None:
    control.consent("anna-uid")
    control.change_user("anna-uid", enabled=False)
    assert len(admin.get("/user/actives").json()) == 1


def test_fields_can_be_odd_or_missing(anna: Dav, control: NextcloudControl, admin: httpx.Client) -> None:
    control.consent("anna-uid", overrides={"active": "1", "email": None, "username": "__missing__", "calendar": "work"})
    [listed] = admin.get("/user/actives").json()
    assert (listed["active"], listed["email"], listed["calendar"]) == ("1", None, "work")
    assert "username" not in listed


def test_invalidate(anna: Dav, control: NextcloudControl, admin: httpx.Client) -> None:
    control.consent("anna-uid")
    unknown = admin.post("/user/invalidate", data={"userId": "nobody"})
    assert (unknown.status_code, unknown.json()["status"]) == (200, "error")
    assert admin.post("/user/invalidate").status_code == 400
    done = admin.post("/user/invalidate", json={"userId": "anna-uid"})
    assert (done.status_code, done.json()["status"]) == (200, "success")
    assert admin.get("/user/actives").json() == []


def test_who_may_ask(anna: Dav, control: NextcloudControl) -> None:
    def status(path: str, login: str, password: str) -> int:
        return httpx.get(f"{control.url}{PREFIX}{path}", auth=(login, password)).status_code

    assert status("/user/actives", "anna", "anna's password") == 403
    assert status("/user/actives", ADMIN, "wrong") == 401
    assert httpx.get(f"{control.url}{PREFIX}/user/actives").status_code == 401
    assert status("/user/actives", ADMIN, control.new_token(ADMIN)) == 200
    answer = httpx.get(f"{control.url}{PREFIX}/status", auth=("anna", "anna's password")).json()
    assert (answer["Version"], answer["CurrentUserId"]) == ("1.0.0", "anna-uid")
