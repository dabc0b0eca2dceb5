"""Encrypted texts, which pass through other systems or the ledger unreadable and unforgeable.

The value of an Approve button (nobody can make one up), the address for an answer that a chat system sent with a
click (it is a secret for 30 minutes), the state of a sign-in. Each has an audience, with a key that is derived for it:
what was sealed for one audience can't be opened for another. Fernet: https://github.com/fernet/spec
"""

import base64
import hmac
import json
from datetime import UTC, datetime
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

MOST_KEYS = 2
REPLY = "reply"  # the audience of addresses for answers
SIGNING_IN = "sign-in"  # of the cookie between leaving for the provider and coming back


class DecryptionError(ValueError):
    """Not encrypted by this installation's key, altered, or too old."""


class Encryptor:
    """key: url-safe base64 of 32 bytes, REGISTRAR_SECRET_KEY; during an exchange two, NEW,OLD: the first encrypts,
    both decrypt. Raises ValueError for any other key.
    """

    def __init__(self, key: str) -> None:
        keys = [one.strip() for one in key.split(",")]
        try:
            self._unbound = [Fernet(one) for one in keys[:MOST_KEYS]]
        except ValueError:
            raise ValueError("REGISTRAR_SECRET_KEY is not a key; `registrar secret` makes one") from None
        if len(keys) > MOST_KEYS:
            raise ValueError("REGISTRAR_SECRET_KEY holds more than two keys: NEW,OLD while one is exchanged")
        self._keys = [base64.urlsafe_b64decode(one) for one in keys]

    def encrypt(self, content: dict[str, Any], *, audience: str) -> str:
        """Return ASCII text: about 100 characters plus 1.4 times the content's JSON in UTF-8."""
        text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
        return self._fernet(audience).encrypt(text.encode("utf-8", "surrogatepass")).decode()

    def mac(self, content: dict[str, Any], *, audience: str) -> str:
        """Return a MAC of 22 characters for a content that is sent in plain text, for want of room."""
        return _marked(content, _derived(self._keys[0], f"mark:{audience}"))

    def verify_mac(self, content: dict[str, Any], mark: str, *, audience: str) -> bool:
        """Return whether a MAC is of this content for this audience, by any of the keys."""
        derived = [_derived(key, f"mark:{audience}") for key in self._keys]
        return any(hmac.compare_digest(_marked(content, key), mark) for key in derived)

    def decrypt(
        self, text: str, *, audience: str, max_age: int | None = None, at: datetime | None = None
    ) -> dict[str, Any]:
        """The content. max_age: seconds; at: instead of now. Raises DecryptionError, also for other audiences."""
        fernet = self._fernet(audience)
        try:
            sealed = text.encode("ascii")
            content: dict[str, Any] = json.loads(
                fernet.decrypt(sealed)
                if max_age is None
                else fernet.decrypt_at_time(sealed, max_age, int((at or datetime.now(UTC)).timestamp()))
            )
        except (InvalidToken, UnicodeEncodeError):
            raise DecryptionError("made by another installation or for another use, altered, or expired") from None
        return content

    @property
    def digests(self) -> tuple[str, ...]:
        """16 hexadecimal digits for each key, by which processes compare keys without revealing them."""
        return tuple(_derived(key, "digest")[:8].hex() for key in self._keys)

    def _fernet(self, audience: str) -> MultiFernet:
        """The first closes. Addresses that were sealed before there were audiences lie in the ledger, and nobody but
        the receiver puts them there: they are opened, so that who waits for an answer over an upgrade gets it.
        """
        bound = [Fernet(base64.urlsafe_b64encode(_derived(key, f"seal:{audience}"))) for key in self._keys]
        return MultiFernet([*bound, *(self._unbound if audience == REPLY else [])])


def _derived(key: bytes, use: str) -> bytes:
    """A key of 32 bytes for one use. https://www.rfc-editor.org/rfc/rfc5869 names the practice."""
    return hmac.digest(key, f"registrar {use}".encode("utf-8", "surrogatepass"), "sha256")


def _marked(content: dict[str, Any], key: bytes) -> str:
    text = json.dumps(content, sort_keys=True).encode()
    return base64.urlsafe_b64encode(hmac.digest(key, text, "sha256")[:16]).decode().rstrip("=")
