"""The values of a begun sign-in that its end must repeat."""

import secrets
from dataclasses import asdict, dataclass, field

from webhooks.ingress.errors import NotSignedIn


class SignInFailed(NotSignedIn):
    """The provider's answer does not identify anyone."""

    code, title = "sign_in_failed", "The sign-in failed"
    headers = {}


@dataclass(frozen=True)
class OidcState:
    """256 random bits each, in an encrypted cookie of the browser that began the sign-in."""

    state: str = field(repr=False)
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)

    @classmethod
    def new(cls) -> "OidcState":
        return cls(*(secrets.token_urlsafe(32) for _ in range(3)))

    def to_json(self) -> dict[str, str]:
        return asdict(self)
