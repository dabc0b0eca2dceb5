"""Sign outgoing requests: headers of Standard Webhooks v1, and of Slack's v0 for tests and the demo.

The receiver's verifier (webhooks/signatures/verifier.py) shares no code with this module: each tests the other.
"""

import base64
import binascii
import hmac
from datetime import datetime


class BadSecret(ValueError):
    """The secret can't sign. The message shows what one looks like, and never the given one."""


def standard_webhooks(secret: str, *, id: str, timestamp: datetime, body: bytes) -> dict[str, str]:
    """Return the three headers of https://www.standardwebhooks.com. Raises BadSecret.

    secret: whsec_ and base64. A retry is signed again, with a new timestamp and the same id.
    """
    seconds = int(timestamp.timestamp())
    signed = f"{id}.{seconds}.".encode() + body
    signature = base64.b64encode(hmac.digest(_whsec(secret), signed, "sha256")).decode()
    return {"webhook-id": id, "webhook-timestamp": str(seconds), "webhook-signature": f"v1,{signature}"}


def slack(secret: str, *, timestamp: datetime, body: bytes) -> dict[str, str]:
    """Return the two headers of https://docs.slack.dev/authentication/verifying-requests-from-slack."""
    seconds = int(timestamp.timestamp())
    signature = hmac.digest(secret.encode(), f"v0:{seconds}:".encode() + body, "sha256").hex()
    return {"X-Slack-Request-Timestamp": str(seconds), "X-Slack-Signature": f"v0={signature}"}


def _whsec(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not key or not secret.startswith("whsec_"):
        raise BadSecret("a Standard Webhooks secret is whsec_ and base64; `registrar secret --webhook` makes one")
    return key
