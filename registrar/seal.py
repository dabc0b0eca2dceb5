"""Sealed texts: what must pass through other hands, or rest in the ledger, unreadable and unforgeable.

Two uses: the value of an Approve button (nobody can make one up), and the address for an answer that a
chat system sent with a click (it is a secret for 30 minutes). Fernet: https://github.com/fernet/spec
"""

import json
from typing import Any

from cryptography.fernet import Fernet, InvalidToken


class BrokenSeal(ValueError):
    """Not sealed by this installation's key, altered, or too old."""


class Seal:
    """key: url-safe base64 of 32 bytes, REGISTRAR_SECRET_KEY. Raises ValueError for any other key."""

    def __init__(self, key: str) -> None:
        try:
            self._fernet = Fernet(key)
        except ValueError:
            raise ValueError("REGISTRAR_SECRET_KEY is not a key; `registrar secret` makes one") from None

    def close(self, content: dict[str, Any]) -> str:
        """ASCII text of about 100 characters plus 1.4 times the content's JSON."""
        return self._fernet.encrypt(json.dumps(content).encode()).decode()

    def open(self, text: str, *, max_age: int | None = None) -> dict[str, Any]:
        """The content. max_age in seconds. Raises BrokenSeal."""
        try:
            content: dict[str, Any] = json.loads(self._fernet.decrypt(text.encode("ascii"), ttl=max_age))
        except (InvalidToken, UnicodeEncodeError):
            raise BrokenSeal("made by another installation, altered, or expired") from None
        return content
