"""Encrypt and authenticate texts that pass through other systems or the ledger.

Used for the values of Approve buttons, which nobody must forge; for the address of an answer that a chat system sends
with a click, a secret for 30 minutes; and for the state of a sign-in. Each use is an audience with a derived key of its
own: a text for one audience can't be decrypted for another. Fernet: https://github.com/fernet/spec
"""

import base64
import hmac
import json
from datetime import UTC, datetime
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

MOST_KEYS = 2
# Audiences: addresses for answers; the cookie of a sign-in at the provider.
REPLY = "reply"
SIGNING_IN = "sign-in"


class DecryptionError(ValueError):
    """Not encrypted by this installation's key, altered, or too old."""


class Encryptor:
    """key: REGISTRAR_SECRET_KEY, url-safe base64 of 32 bytes; during an exchange NEW,OLD: NEW encrypts, both decrypt.

    Raises ValueError for any other key.
    """

    def __init__(self, key: str) -> None:
        keys = [part.strip() for part in key.split(",")]
        try:
            self._unbound = [Fernet(part) for part in keys[:MOST_KEYS]]
        except ValueError:
            raise ValueError("REGISTRAR_SECRET_KEY is not a key; `registrar secret` makes one") from None
        if len(keys) > MOST_KEYS:
            raise ValueError("REGISTRAR_SECRET_KEY holds more than two keys: NEW,OLD while one is exchanged")
        self._keys = [base64.urlsafe_b64decode(part) for part in keys]

    def encrypt(self, content: dict[str, Any], *, audience: str) -> str:
        """Return ASCII text: about 100 characters plus 1.4 times the content's JSON in UTF-8."""
        text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
        return self._fernet(audience).encrypt(text.encode("utf-8", "surrogatepass")).decode()

    def mac(self, content: dict[str, Any], *, audience: str) -> str:
        """Return a MAC of 22 characters for a content that is sent in plain text, for want of room."""
        return _mac(content, _derive(self._keys[0], f"mark:{audience}"))

    def verify_mac(self, content: dict[str, Any], mac: str, *, audience: str) -> bool:
        """Return whether a MAC is of this content for this audience, by any of the keys."""
        derived = [_derive(key, f"mark:{audience}") for key in self._keys]
        return any(hmac.compare_digest(_mac(content, key), mac) for key in derived)

    def decrypt(
        self, text: str, *, audience: str, max_age: int | None = None, at: datetime | None = None
    ) -> dict[str, Any]:
        """Return the content. max_age: seconds. at: None is now. Raises DecryptionError, also for another audience."""
        fernet = self._fernet(audience)
        try:
            encrypted = text.encode("ascii")
            content: dict[str, Any] = json.loads(
                fernet.decrypt(encrypted)
                if max_age is None
                else fernet.decrypt_at_time(encrypted, max_age, int((at or datetime.now(UTC)).timestamp()))
            )
        except (InvalidToken, UnicodeEncodeError):
            raise DecryptionError("made by another installation or for another use, altered, or expired") from None
        return content

    @property
    def digests(self) -> tuple[str, ...]:
        """16 hexadecimal digits per key, by which processes compare their keys without revealing them."""
        return tuple(_derive(key, "digest")[:8].hex() for key in self._keys)

    def _fernet(self, audience: str) -> MultiFernet:
        """Return the keys of an audience; the first one encrypts.

        Addresses for answers are also decrypted by the underived keys: the ledger may have some from before there were
        audiences. Only the receiver writes them.
        """
        bound = [Fernet(base64.urlsafe_b64encode(_derive(key, f"seal:{audience}"))) for key in self._keys]
        return MultiFernet([*bound, *(self._unbound if audience == REPLY else [])])


def _derive(key: bytes, use: str) -> bytes:
    """Return a key of 32 bytes for one use, as https://www.rfc-editor.org/rfc/rfc5869 recommends."""
    return hmac.digest(key, f"registrar {use}".encode("utf-8", "surrogatepass"), "sha256")


def _mac(content: dict[str, Any], key: bytes) -> str:
    text = json.dumps(content, sort_keys=True).encode()
    return base64.urlsafe_b64encode(hmac.digest(key, text, "sha256")[:16]).decode().rstrip("=")
