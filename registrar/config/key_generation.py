"""Generate keys and secrets, for registrar.yml and the environment."""

import base64
import re
import secrets

from cryptography.fernet import Fernet

TOKEN = re.compile(r"rgt_[A-Za-z0-9_-]{43}")
LINK_CODE = re.compile(r"rgl_[A-Za-z0-9_-]{43}")


def new_token() -> str:
    """Return an API token: rgt_ and url-safe base64 of 32 random bytes."""
    return "rgt_" + secrets.token_urlsafe(32)


def new_link_code() -> str:
    """Return the code of a link that signs a person in: rgl_ and url-safe base64 of 32 random bytes."""
    return "rgl_" + secrets.token_urlsafe(32)


def new_key() -> str:
    """Return a key for REGISTRAR_SECRET_KEY or MLflow's webhooks: url-safe base64 of 32 random bytes."""
    return Fernet.generate_key().decode()


def new_webhook_secret() -> str:
    """Return a secret for a source or a channel that signs by Standard Webhooks: whsec_ and base64 of 32 random bytes.

    https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
    """
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
