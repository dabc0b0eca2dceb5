"""New keys and secrets, for people to put where registrar.yml and the environment name them."""

import base64
import re
import secrets

from cryptography.fernet import Fernet

TOKEN = re.compile(r"rgt_[A-Za-z0-9_-]{43}")


def new_token() -> str:
    """For the API: rgt_ and url-safe base64 of 32 random bytes."""
    return "rgt_" + secrets.token_urlsafe(32)


def new_key() -> str:
    """For REGISTRAR_SECRET_KEY, and for MLflow's key of its webhooks: url-safe base64 of 32 random bytes."""
    return Fernet.generate_key().decode()


def new_webhook_secret() -> str:
    """For a source or a channel that signs by Standard Webhooks: whsec_ and base64 of 32 random bytes.

    https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
    """
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
