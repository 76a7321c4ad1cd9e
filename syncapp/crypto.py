"""Authenticated encryption of what the database keeps secret.

AES-256-GCM under ``ENCRYPTION_KEY``. A sealed value is: format byte 1, 4 bytes naming the key, 12 bytes of nonce, the
ciphertext with its tag. The context (table and column) is authenticated along, so that a value copied to another
column does not open. Older keys still open values; only the first seals (key rotation).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

_FORMAT = b"\x01"
_KEY_ID_BYTES = 4
_NONCE_BYTES = 12


class WrongKey(Exception):
    """A sealed value opens with none of the keys that are configured, or it was altered."""


def parse_key(text: str) -> bytes:
    """The 32 bytes of a key written in base64 (either alphabet). Raises ValueError with a sentence."""
    try:
        key = base64.b64decode(text.strip().replace("-", "+").replace("_", "/"), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("it is not base64") from error
    if len(key) != 32:
        raise ValueError(f"it holds {len(key)} bytes, not 32")
    return key


@lru_cache(maxsize=8)
def _ciphers(keys: tuple[bytes, ...]) -> dict[bytes, AESGCM]:
    return {hashlib.sha256(b"key id" + key).digest()[:_KEY_ID_BYTES]: AESGCM(key) for key in keys}


def seal(plain: bytes, context: str) -> bytes:
    """Encrypt ``plain`` for the place named by ``context``."""
    key_id, cipher = next(iter(_ciphers(tuple(settings.ENCRYPTION_KEYS)).items()))
    nonce = os.urandom(_NONCE_BYTES)
    return _FORMAT + key_id + nonce + cipher.encrypt(nonce, plain, context.encode())


def unseal(sealed: bytes, context: str) -> bytes:
    """Decrypt what ``seal`` made for the same context. Raises ``WrongKey``."""
    head = len(_FORMAT) + _KEY_ID_BYTES
    cipher = _ciphers(tuple(settings.ENCRYPTION_KEYS)).get(sealed[len(_FORMAT) : head])
    if cipher is None or sealed[:1] != _FORMAT:
        raise WrongKey("none of the configured keys made this value")
    nonce, body = sealed[head : head + _NONCE_BYTES], sealed[head + _NONCE_BYTES :]
    try:
        return cipher.decrypt(nonce, body, context.encode())
    except InvalidTag as error:
        raise WrongKey("the value was altered or belongs elsewhere") from error
