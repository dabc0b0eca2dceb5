"""Sign-in at an OpenID Connect provider: the code flow with PKCE, state and nonce, by Authlib.

https://openid.net/specs/openid-connect-core-1_0.html#CodeFlowAuth, https://www.rfc-editor.org/rfc/rfc9700
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oidc.core import CodeIDToken
from cryptography.exceptions import UnsupportedAlgorithm
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, Key
from joserfc.jws import JWSRegistry

from registrar.http.deadline import within_deadline
from registrar.policy.access import Oidc
from webhooks.auth.identity import Identity, is_account
from webhooks.auth.oidc_state import OidcState, SignInFailed
from webhooks.ingress.errors import Unavailable
from webhooks.ingress.validation import clean

log = logging.getLogger(__name__)
T = TypeVar("T")

# Seconds for a whole answer.
TIMEOUT = 5
# Requests to the provider under way. Anybody can begin a sign-in, and each has one of the threads that pages have
# (webhooks/flask_threads.py, THREADS) while it waits.
AT_ONCE = 16
KEPT_FOR = 3600.0  # seconds that the provider's metadata and keys are kept
LEEWAY = 60  # seconds between two clocks
LONGEST_NAME = 100  # characters: browsers drop a cookie of more than 4,096 bytes
LONGEST_SUBJECT = 255  # https://openid.net/specs/openid-connect-core-1_0.html#IDToken
# Only algorithms with a key pair: a secret that we share with the provider, or no key at all, proves nothing.
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
_REGISTRY = JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False)
_KEY_PAIRS = ("RSA", "EC", "OKP")
# What joserfc and cryptography raise for an invalid key or token, while they read it or when they use it.
_KEY_ERRORS = (JoseError, ValueError, TypeError, KeyError, AttributeError, UnsupportedAlgorithm)
_NEEDED = ("authorization_endpoint", "token_endpoint", "jwks_uri")


class Provider:
    """An OpenID Connect provider. Contacted only at sign-ins, so the receiver starts while it is down."""

    def __init__(self, config: Oidc, client_secret: str) -> None:
        self._config, self._secret = config, client_secret
        self._lock = threading.Lock()
        self._cached: dict[str, tuple[float, Any]] = {}
        self._slots = threading.BoundedSemaphore(AT_ONCE)

    def address(self, begun: OidcState, redirect_uri: str) -> str:
        """Return the address to send the browser to. Raises Unavailable."""
        with self._client(redirect_uri) as client:
            url, _ = client.create_authorization_url(
                self._metadata()["authorization_endpoint"],
                state=begun.state,
                nonce=begun.nonce,
                code_verifier=begun.verifier,
            )
        return str(url)

    def identity(self, begun: OidcState, redirect_uri: str, code: str) -> Identity:
        """Exchange the code for an identity. Raises SignInFailed, Unavailable."""
        token = self._token(begun, redirect_uri, code)
        claims = self._claims(begun, token)
        account = claims.get(self._config.claim)
        if self._config.claim == "email" and claims.get("email_verified") is not True:
            raise SignInFailed("the provider does not say that the email is verified; it may be anybody's")
        if not isinstance(account, str) or not is_account(account):
            raise SignInFailed(f"the provider's ID token has no {self._config.claim} (access.oidc.claim)")
        name = claims.get("name")
        name = clean(name, length=LONGEST_NAME) if isinstance(name, str) else None
        return Identity(account, self._config.account_kinds, name, _subject(claims))

    def issued_by(self, issuer: str | None) -> bool:
        """Return whether the answer's `iss`, if any, is this provider's: https://www.rfc-editor.org/rfc/rfc9207"""
        return issuer is None or issuer == self._config.issuer

    def _token(self, begun: OidcState, redirect_uri: str, code: str) -> dict[str, Any]:
        endpoint = self._metadata()["token_endpoint"]
        try:
            with self._client(redirect_uri) as client:
                fields = {"code": code, "code_verifier": begun.verifier}  # secrets, so redirects are not followed
                return dict(self._request(lambda: client.fetch_token(endpoint, **fields, allow_redirects=False)))
        except (OAuthError, ValueError, requests.RequestException) as error:
            raise self._failure("gave no token for the code", error) from None

    def _claims(self, begun: OidcState, token: dict[str, Any]) -> CodeIDToken:
        """Verify the ID token: signature, issuer, audience, time and nonce. Raises SignInFailed, Unavailable."""
        config = self._config
        params = {"nonce": begun.nonce, "client_id": config.client_id, "access_token": token.get("access_token")}
        options: Any = {
            "iss": {"essential": True, "value": config.issuer},
            "aud": {"essential": True, "value": config.client_id},
        }
        try:
            decoded = self._decoded(str(token.get("id_token", "")))
            claims = CodeIDToken(decoded.claims, decoded.header, options, params)
            claims.validate(leeway=LEEWAY)
        except (JoseError, ValueError, KeyError, TypeError) as error:
            raise self._failure("gave an invalid ID token", error) from None
        return claims

    def _decoded(self, id_token: str) -> jwt.Token:
        """Decode with any of the provider's keys; reload them once. Raises SignInFailed, Unavailable."""
        for reload in (False, True):  # it may have new keys
            for key in self._keys(reload=reload):
                with suppress(*_KEY_ERRORS):
                    return jwt.decode(id_token, key, registry=_REGISTRY)
        raise self._failure("gave an ID token that none of its keys has signed")

    def _metadata(self) -> dict[str, Any]:
        issuer = self._config.issuer
        metadata = self._get(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
        if metadata.get("issuer") != issuer or not all(isinstance(metadata.get(name), str) for name in _NEEDED):
            raise self._failure("has metadata of another issuer than registrar.yml's, or without its endpoints")
        if issuer.startswith("https:") and any(urlsplit(metadata[name]).scheme != "https" for name in _NEEDED):
            raise self._failure("has endpoints that are not https")
        return metadata

    def _keys(self, *, reload: bool) -> Iterator[Key]:
        """Yield the signing keys that joserfc supports; the others are ignored.

        https://www.rfc-editor.org/rfc/rfc7517#section-5
        """
        keys = self._get(self._metadata()["jwks_uri"], reload=reload).get("keys")
        for key in keys if isinstance(keys, list) else []:
            if isinstance(key, dict) and key.get("kty") in _KEY_PAIRS and key.get("use") != "enc":
                with suppress(*_KEY_ERRORS):
                    yield JWKRegistry.import_key(key)

    def _get(self, url: str, *, reload: bool = False) -> dict[str, Any]:
        with self._lock:
            until, cached = self._cached.get(url, (0.0, None))
        if cached is not None and time.monotonic() < until and not reload:
            return dict(cached)
        try:
            response = self._request(lambda: requests.get(url, timeout=TIMEOUT, allow_redirects=False))
            response.raise_for_status()
            content = dict(response.json())
        except (requests.RequestException, ValueError, TypeError) as error:
            raise self._failure("does not answer", error) from None
        with self._lock:
            self._cached[url] = (time.monotonic() + KEPT_FOR, content)
        return content

    def _request(self, send: Callable[[], T]) -> T:
        """Return a whole answer within TIMEOUT. A slower request goes on in its thread, and counts in AT_ONCE.

        Raises requests.RequestException, or what `send` raises.
        """
        if not self._slots.acquire(blocking=False):
            raise requests.Timeout(f"{AT_ONCE} requests wait for it")

        def send_and_release() -> T:
            try:
                return send()
            finally:
                self._slots.release()

        return within_deadline(TIMEOUT, send_and_release)

    def _client(self, redirect_uri: str) -> OAuth2Session:
        return OAuth2Session(
            self._config.client_id,
            self._secret,
            scope="openid email profile",
            redirect_uri=redirect_uri,
            code_challenge_method="S256",
            default_timeout=TIMEOUT,
        )

    def _failure(self, what: str, error: Exception | None = None) -> SignInFailed | Unavailable:
        """Log a failure by its class (a library's message may hold a part of a token); return what to raise."""
        log.warning("sign-in: %s %s (%s)", self._config.issuer, what, type(error).__name__ if error else "-")
        if isinstance(error, requests.RequestException):
            return Unavailable(f"the sign-in provider {self._config.issuer} does not answer; try again in a minute")
        return SignInFailed(f"the sign-in provider {what}; begin again at /signin")


def _subject(claims: CodeIDToken) -> str:
    """Raises SignInFailed."""
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= LONGEST_SUBJECT or not subject.isprintable():
        raise SignInFailed("the provider's ID token has no valid `sub`; begin again at /signin")
    return subject
