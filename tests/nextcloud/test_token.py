"""Opening the consent app's tokens."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.nextcloud.consent import encrypt
from syncapp.nextcloud.token import DamagedToken, SecretMismatch, TokenNotOpened, open_token

SECRET, TOKEN = "s3cr3t-é", "Ab1" * 24
SEALED = (
    "AAECAwQFBgcICQoLDA0OD3XEbMIsifFcJkQAkYuY90oJrw2SOYv+LKtzps/PdezEAAbtPeVEcV4SJJua2zYpBAoufJ3GPHgfMQ3tlVle/7j0jvU"
    "+jo5Tg8RMN0n/oz3s9TfWzXJcyaFOyxGh7raVk9f3QjgROqs9QohtpH3NyuI="
)
"""What a real installation made (docs/server-behaviour.md#section-1-4)."""


def test_the_documented_token_opens() -> None:
    assert open_token(SEALED, [SECRET]) == TOKEN


@given(st.text("abcXYZ019", min_size=1, max_size=100), st.text(min_size=1, max_size=40))
def test_what_the_app_seals_opens(token: str, secret: str) -> None:
    assert open_token(encrypt(token, secret), ["another", secret]) == token


def test_during_a_rotation_both_secrets_open() -> None:
    assert open_token(SEALED, ["new", SECRET]) == TOKEN
    assert open_token(SEALED, [SECRET, "old"]) == TOKEN


@pytest.mark.parametrize("secrets", [[], [""], ["wrong"], ["wrong", ""], [SECRET + " "]])
def test_another_secret_is_an_error_of_the_installation(secrets: list[str]) -> None:
    with pytest.raises(SecretMismatch, match="SHARED_SECRET"):
        open_token(SEALED, secrets)


def test_a_changed_ciphertext_does_not_open() -> None:
    data = bytearray(base64.b64decode(SEALED))
    data[60] ^= 1
    with pytest.raises(SecretMismatch):
        open_token(base64.b64encode(data).decode(), [SECRET])


@pytest.mark.parametrize("at", [0, 8, 15])
def test_a_changed_first_block_is_noticed(at: int) -> None:
    # The MAC does not cover the IV.
    data = bytearray(base64.b64decode(SEALED))
    data[at] ^= 0x80
    with pytest.raises(DamagedToken):
        open_token(base64.b64encode(data).decode(), [SECRET])


@given(st.text(max_size=200))
def test_no_text_is_answered_with_another_error(sealed: str) -> None:
    with pytest.raises(TokenNotOpened):
        open_token(sealed, [SECRET])


@pytest.mark.parametrize(
    "sealed", ["", "AAAA", base64.b64encode(bytes(48)).decode(), base64.b64encode(bytes(50)).decode()]
)
def test_what_is_too_short_is_damaged(sealed: str) -> None:
    with pytest.raises(DamagedToken):
        open_token(sealed, [SECRET])
