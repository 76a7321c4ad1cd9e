"""Opening the tokens that the consent app hands out (docs/server-behaviour.md#section-1-4)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Sequence

from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

_IV, _MAC, _BLOCK = 16, 32, 16
_PLAIN = re.compile(r"[A-Za-z0-9-]{1,512}", re.ASCII)
"""An app password; the app makes 72 letters and digits, Nextcloud's own have hyphens."""


class TokenNotOpened(Exception):
    """A token could not be opened. ``str()`` is a sentence for a person."""


class SecretMismatch(TokenNotOpened):
    """The token was sealed with another secret than ours: one error of the installation, not of this user."""

    def __str__(self) -> str:
        return (
            "The shared secret in .env is not the one that is entered in the consent app in Nextcloud: "
            "SHARED_SECRET must be that secret (SHARED_SECRET_PREVIOUS its former value while it is being replaced)."
        )


class DamagedToken(TokenNotOpened):
    """The token has not the form that the app gives it, whatever the secret."""

    def __str__(self) -> str:
        return "The token that the consent app lists for the user is damaged; the user has to consent again."


def open_token(sealed: str, secrets: Sequence[str]) -> str:
    """The app password in a token; ``secrets`` are the current shared secret and perhaps the previous one.

    Raises SecretMismatch when none of them fits, DamagedToken when there is nothing to open.
    """
    try:
        data = base64.b64decode("".join(sealed.split()), validate=True)
    except (binascii.Error, ValueError):
        raise DamagedToken from None
    ciphertext = data[_IV + _MAC :]
    if not ciphertext or len(ciphertext) % _BLOCK:
        raise DamagedToken
    for secret in filter(None, secrets):
        # The app's key is the hex text of the MD5, not its bytes. MD5 is the app's choice.
        key = hashlib.md5(secret.encode(), usedforsecurity=False).hexdigest().encode()
        if hmac.compare_digest(hmac.digest(key, ciphertext, "sha256"), data[_IV : _IV + _MAC]):
            return _decrypted(key, data[:_IV], ciphertext)
    raise SecretMismatch


def _decrypted(key: bytes, iv: bytes, ciphertext: bytes) -> str:
    decryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).decryptor()
    padded = decryptor.update(ciphertext) + decryptor.finalize()
    remover = padding.PKCS7(_BLOCK * 8).unpadder()
    try:
        plain = (remover.update(padded) + remover.finalize()).decode("ascii")
    except ValueError:
        # Also the error of decoding: the MAC does not cover the IV, so the first block may be anything.
        raise DamagedToken from None
    if not _PLAIN.fullmatch(plain):
        raise DamagedToken
    return plain
