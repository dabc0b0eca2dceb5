"""Signs cookies and form tokens, with a key per purpose derived from REGISTRAR_SECRET_KEY."""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

from itsdangerous import SignatureExpired, URLSafeTimedSerializer

# Allowed difference of two receivers' clocks, or of one clock that was set back.
AHEAD = timedelta(seconds=60)


def signer(secret_key: str, purpose: str) -> URLSafeTimedSerializer:
    """Make a signer. secret_key: one key or, during a rotation, NEW,OLD: the new one signs, both verify."""
    keys = [key.strip() for key in secret_key.split(",")]
    return URLSafeTimedSerializer(
        list(reversed(keys)),
        salt=f"registrar {purpose}",
        signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
    )


def newest(secret_key: str) -> str:
    """Return the key that signs."""
    return secret_key.partition(",")[0].strip()


def load_signed(signer: URLSafeTimedSerializer, text: str, *, lasts: timedelta, at: datetime) -> tuple[Any, datetime]:
    """Return the signed value and the time of signing. Raises BadSignature for a foreign or an old signature.

    itsdangerous' own check of age refuses a signature that is a second ahead of this clock.
    """
    value, timestamp = signer.loads(text, return_timestamp=True)
    signed_at = timestamp.astimezone(UTC)
    if not -AHEAD <= at - signed_at <= lasts:
        raise SignatureExpired(f"signed at {signed_at:%Y-%m-%d %H:%M:%S}", payload=value, date_signed=signed_at)
    return value, signed_at
