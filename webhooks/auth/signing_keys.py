"""What cookies and forms are signed with: a key for each purpose, derived from REGISTRAR_SECRET_KEY."""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

from itsdangerous import SignatureExpired, URLSafeTimedSerializer

AHEAD = timedelta(seconds=60)  # another receiver's clock may be, and this one's may have been put back


def signer(secret_key: str, purpose: str) -> URLSafeTimedSerializer:
    """secret_key: one or, while it is exchanged, NEW,OLD: the new one signs, either is believed."""
    keys = [key.strip() for key in secret_key.split(",")]
    return URLSafeTimedSerializer(
        list(reversed(keys)),
        salt=f"registrar {purpose}",
        signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
    )


def newest(secret_key: str) -> str:
    """The key that signs, of those that are believed."""
    return secret_key.partition(",")[0].strip()


def opened(signer: URLSafeTimedSerializer, text: str, *, lasts: timedelta, at: datetime) -> tuple[Any, datetime]:
    """What was signed, and when. Raises BadSignature where nobody of ours did so, or too long ago.

    itsdangerous itself refuses what was signed a second ahead of this clock.
    """
    said, stamped = signer.loads(text, return_timestamp=True)
    signed_at = stamped.astimezone(UTC)
    if not -AHEAD <= at - signed_at <= lasts:
        raise SignatureExpired(f"signed at {signed_at:%Y-%m-%d %H:%M:%S}", payload=said, date_signed=signed_at)
    return said, signed_at
