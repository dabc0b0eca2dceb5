"""A small OpenID Connect provider over real HTTP: discovery, code flow with PKCE, keys; honest, or not as told."""

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import KeySet, OctKey, RSAKey
from joserfc.jws import JWSRegistry

CLIENT_ID = "registrar"
CLIENT_SECRET = "a client secret of 32 characters"


@cache
def first_key() -> RSAKey:
    """Of all providers: making one takes longer than most tests."""
    return RSAKey.generate_key(2048, {"kid": "first"})


@dataclass
class OidcProvider:
    """Whoever comes is signed in as `claims` say, without a question.

    changed: claims of the next ID tokens that are put in place of the right ones; None takes one away. algorithm: that
    they are signed with. forged: signed by a key that is not the provider's. kid: whether their header names the
    key. other_keys: what else its JWKS holds, before its key. code_length: characters of its codes. moved: where its
    token endpoint redirects to. bodies: what is answered to a path in place of JSON. drips: the path whose answer comes
    byte by byte, for as long as it is this one.
    """

    issuer: str
    claims: dict[str, Any] = field(default_factory=lambda: {"sub": "1", "email": "ada@example.com", "name": "Ada L."})
    verified: bool | None = True
    changed: dict[str, Any] = field(default_factory=dict)
    algorithm: str = "RS256"
    forged: bool = False
    kid: bool = True
    other_keys: list[Any] = field(default_factory=list)
    code_length: int = 16
    moved: str | None = None
    bodies: dict[str, bytes] = field(default_factory=dict)
    drips: str = ""
    key: RSAKey = field(default_factory=first_key)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)
    down: bool = False

    def rotate(self) -> None:
        self.key = RSAKey.generate_key(2048, {"kid": secrets.token_hex(4)})

    def discovery(self) -> dict[str, Any]:
        at = self.issuer
        said = {
            "issuer": at,
            "authorization_endpoint": f"{at}/authorize",
            "token_endpoint": f"{at}/token",
            "jwks_uri": f"{at}/jwks",
            "id_token_signing_alg_values_supported": ["RS256", "HS256", "none"],
        }
        return said | self.metadata

    def authorize(self, query: dict[str, str]) -> str:
        """Where the browser is sent back to."""
        assert (query["client_id"], query["response_type"]) == (CLIENT_ID, "code")
        assert (query["code_challenge_method"], "openid" in query["scope"].split()) == ("S256", True)
        code = secrets.token_hex(8).ljust(self.code_length, ".")
        self.codes[code] = query
        return f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state']})}"

    def token(self, form: dict[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        login = base64.b64decode(authorization.removeprefix("Basic ")).decode()
        begun = self.codes.pop(form.get("code", ""), None)
        challenge = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        honest = (
            begun is not None
            and login == f"{CLIENT_ID}:{CLIENT_SECRET}"
            and form["redirect_uri"] == begun["redirect_uri"]
            and base64.urlsafe_b64encode(challenge).decode().rstrip("=") == begun["code_challenge"]
        )
        if not honest or begun is None:
            return 400, {"error": "invalid_grant"}
        return 200, {"access_token": "at", "token_type": "Bearer", "id_token": self._id_token(begun["nonce"])}

    def _id_token(self, nonce: str) -> str:
        at = int(time.time())
        right = {"iss": self.issuer, "aud": CLIENT_ID, "exp": at + 300, "iat": at, "nonce": nonce, **self.claims}
        right |= {} if self.verified is None else {"email_verified": self.verified}
        claims = {name: value for name, value in {**right, **self.changed}.items() if value is not None}
        if self.algorithm == "none":
            parts = ({"alg": "none"}, claims)
            return ".".join(base64.urlsafe_b64encode(json.dumps(p).encode()).decode().rstrip("=") for p in parts) + "."
        key: Any = OctKey.import_key(CLIENT_SECRET) if self.algorithm.startswith("HS") else self.key
        if self.forged:
            key = RSAKey.generate_key(2048, {"kid": self.key.kid})
        header = {"alg": self.algorithm, **({"kid": self.key.kid} if self.kid else {})}
        return jwt.encode(header, claims, key, registry=JWSRegistry(algorithms=[self.algorithm]))


class _Handler(BaseHTTPRequestHandler):
    provider: OidcProvider

    def do_GET(self) -> None:
        at = urlsplit(self.path)
        self.provider.asked.append(at.path)
        if self.provider.down:
            self._answer(503, {})
        elif at.path == "/authorize":
            query = {name: values[0] for name, values in parse_qs(at.query).items()}
            self.send_response(302)
            self.send_header("Location", self.provider.authorize(query))
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif at.path == "/jwks":
            own = KeySet([self.provider.key]).as_dict(private=False)["keys"]
            self._answer(200, {"keys": [*self.provider.other_keys, *own]})
        else:
            self._answer(200, self.provider.discovery())

    def do_POST(self) -> None:
        self.provider.asked.append(self.path)
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        form = {name: values[0] for name, values in parse_qs(body).items()}
        if self.provider.moved:
            self.send_response(307)
            self.send_header("Location", self.provider.moved)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        status, said = self.provider.token(form, self.headers.get("Authorization", ""))
        self._answer(503 if self.provider.down else status, said)

    def _answer(self, status: int, said: Any) -> None:
        path = urlsplit(self.path).path
        body = self.provider.bodies.get(path, json.dumps(said).encode())
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body) + 1_000_000 * (path == self.provider.drips)))
        self.end_headers()
        with suppress(OSError):
            while path == self.provider.drips:
                self.wfile.write(b" ")
                time.sleep(0.05)
            self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def serving() -> Iterator[OidcProvider]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    provider = OidcProvider(f"http://127.0.0.1:{server.server_port}")
    server.RequestHandlerClass = type("Handler", (_Handler,), {"provider": provider})
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
