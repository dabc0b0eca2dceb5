"""Sealed texts: what must pass through other hands, or rest in the ledger, unreadable and unforgeable.

Two uses: the value of an Approve button (nobody can make one up), and the address for an answer that a
chat system sent with a click (it is a secret for 30 minutes). Fernet: https://github.com/fernet/spec
"""

import base64
import hmac
import json
from datetime import UTC, datetime
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

MOST_KEYS = 2


class BrokenSeal(ValueError):
    """Not sealed by this installation's key, altered, or too old."""


class Seal:
    """key: url-safe base64 of 32 bytes, REGISTRAR_SECRET_KEY; while one is exchanged two, NEW,OLD: the first closes,
    and what either of them closed is opened. Raises ValueError for any other key.
    """

    def __init__(self, key: str) -> None:
        keys = [one.strip() for one in key.split(",")]
        try:
            self._fernet = MultiFernet([Fernet(one) for one in keys[:MOST_KEYS]])
        except ValueError:
            raise ValueError("REGISTRAR_SECRET_KEY is not a key; `registrar secret` makes one") from None
        if len(keys) > MOST_KEYS:
            raise ValueError("REGISTRAR_SECRET_KEY holds more than two keys: NEW,OLD while one is exchanged")
        self._markings = [hmac.digest(base64.urlsafe_b64decode(one), b"registrar mark", "sha256") for one in keys]

    def close(self, content: dict[str, Any]) -> str:
        """ASCII text of about 100 characters plus 1.4 times the content's JSON in UTF-8."""
        text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
        return self._fernet.encrypt(text.encode("utf-8", "surrogatepass")).decode()

    def mark(self, content: dict[str, Any]) -> str:
        """22 characters that vouch for a content which travels in the open beside them, where no sealed text fits."""
        return _marked(content, self._markings[0])

    def vouches(self, content: dict[str, Any], mark: str) -> bool:
        """Whether it is a mark of this content, by any of the keys."""
        return any(hmac.compare_digest(_marked(content, marking), mark) for marking in self._markings)

    def open(self, text: str, *, max_age: int | None = None, at: datetime | None = None) -> dict[str, Any]:
        """The content. max_age in seconds, at `at` instead of now. Raises BrokenSeal."""
        try:
            sealed = text.encode("ascii")
            content: dict[str, Any] = json.loads(
                self._fernet.decrypt(sealed)
                if max_age is None
                else self._fernet.decrypt_at_time(sealed, max_age, int((at or datetime.now(UTC)).timestamp()))
            )
        except (InvalidToken, UnicodeEncodeError):
            raise BrokenSeal("made by another installation, altered, or expired") from None
        return content


def _marked(content: dict[str, Any], marking: bytes) -> str:
    text = json.dumps(content, sort_keys=True).encode()
    return base64.urlsafe_b64encode(hmac.digest(marking, text, "sha256")[:16]).decode().rstrip("=")
