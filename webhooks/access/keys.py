"""What cookies and forms are signed with: a key for each purpose, derived from REGISTRAR_SECRET_KEY."""

import hashlib

from itsdangerous import URLSafeTimedSerializer


def signer(secret_key: str, purpose: str) -> URLSafeTimedSerializer:
    """secret_key: one or, while it is exchanged, NEW,OLD: the new one signs, either is believed."""
    keys = [key.strip() for key in secret_key.split(",")]
    return URLSafeTimedSerializer(
        list(reversed(keys)),
        salt=f"registrar {purpose}",
        signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
    )
