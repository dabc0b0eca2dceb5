"""Authenticate at GitHub: by a person's token, or as a GitHub App, which gets a token for an hour.

https://docs.github.com/apps/creating-github-apps/authenticating-with-a-github-app/authenticating-as-a-github-app-installation
"""

import hashlib
import json
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Self

import jwt
import requests
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from pydantic import Field, model_validator

from registrar.policy.base_model import Strict
from worker.notifications.notifiers import Notification
from worker.notifications.transport import code_hosts
from worker.registry.protocol import PermanentError, RetryableError

_MARGIN = 120.0  # seconds before its end in which a token is not used
_HINTS = {
    401: "the channel's secret is no private key of the app options.app_id, or the clock here is off",
    403: "the app options.app_id is suspended, or may not use options.installation_id",
    404: "the app options.app_id has no installation options.installation_id",
}


class Access(Strict):
    """Options of a channel. With both, the channel's secret is the app's private key, PEM; without, it is a token."""

    app_id: Annotated[int | str | None, Field(description="the app's id, or its client id")] = None
    installation_id: Annotated[int | None, Field(ge=1)] = None

    @model_validator(mode="after")
    def _both(self) -> Self:
        if (self.app_id is None) != (self.installation_id is None):
            raise ValueError("app_id and installation_id come together")
        return self


@dataclass(frozen=True)
class _CachedToken:
    token: str
    until: float  # seconds of the epoch


_cached: dict[tuple[str, ...], _CachedToken] = {}
_requesting = threading.Lock()  # several tasks that need a token make one request


def post(
    notification: Notification,
    http: requests.Session,
    path: str,
    content: Mapping[str, Any],
    *,
    access: Access,
    hints: Mapping[int, str],
) -> None:
    """POST to a path below the root of the channel's API, as the app or by the token. Raises RetryableError,
    PermanentError.
    """
    root, secret = code_hosts.github_root(notification.url), notification.secret
    try:
        authorization = token(secret, access, http, root=root)
        code_hosts.post_github(http, f"{root}{path}", content, token=authorization, hints=hints)
    except code_hosts.Unauthorized:
        if _cached.pop(_key(secret or "", access, root), None) is None:
            raise
        raise RetryableError("GitHub no longer accepts the app's token; the next attempt gets another one") from None


def token(secret: str | None, access: Access, http: requests.Session, *, root: str) -> str:
    """Return the token for the Authorization header. Raises RetryableError, PermanentError."""
    if not secret:
        raise PermanentError("the channel has no secret; add secret: env:NAME, a token or an app's private key")
    if access.app_id is None or access.installation_id is None:
        return secret.strip()
    key = _key(secret, access, root)
    with _requesting:
        cached = _cached.get(key)
        if cached is None or cached.until - _MARGIN < time.time():
            cached = _cached[key] = _request_token(secret, access, http, root)
    return cached.token


def _key(secret: str, access: Access, root: str) -> tuple[str, ...]:
    """Return a token's key in the cache, with the API's root: a token is valid at one server only."""
    return (root, str(access.app_id), str(access.installation_id), hashlib.sha256(secret.encode()).hexdigest())


def _request_token(secret: str, access: Access, http: requests.Session, root: str) -> _CachedToken:
    """Request an installation's token.

    https://docs.github.com/rest/apps/apps#create-an-installation-access-token-for-an-app
    """
    url = f"{root}/app/installations/{access.installation_id}/access_tokens"
    answer = code_hosts.post_github(
        http, url, {}, token=app_jwt(secret, str(access.app_id), now=int(time.time())), hints=_HINTS
    )
    try:
        content = json.loads(answer.body)
        return _CachedToken(str(content["token"]), datetime.fromisoformat(content["expires_at"]).timestamp())
    except (ValueError, KeyError, TypeError):
        raise RetryableError(f"{answer.host} answered, but with no token") from None


def app_jwt(pem: str, app_id: str, *, now: int) -> str:
    """Return an app's JWT, valid for nine minutes. Raises PermanentError for a text that is no RSA private key.

    https://docs.github.com/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app
    """
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, RSAPrivateKey):
        raise PermanentError("the channel's secret is no RSA private key in PEM, as GitHub gives it for an app")
    claims = {"iat": now - 60, "exp": now + 540, "iss": app_id}  # 60 s back: clocks differ
    return jwt.encode(claims, key, algorithm="RS256")
