"""Find logins in URLs (scheme://user:password@host), and remove them before a URL is shown or passed on."""

import re
from dataclasses import dataclass
from urllib.parse import unquote

# Up to the last @ before the path: a password may contain an @ that was not percent-encoded.
_LOGIN = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)(?P<login>[^/?#\s;]*)@")


@dataclass(frozen=True)
class Login:
    """A decoded login."""

    user: str
    password: str


def login(url: str) -> Login | None:
    """Return the login of the first host in a URL."""
    if not (match := _LOGIN.search(url)):
        return None
    user, _, password = match["login"].partition(":")
    return Login(unquote(user), unquote(password))


def logins(url: str) -> list[Login]:
    """Return all logins: a broker's URL may name several hosts (sentinel://...;sentinel://...)."""
    return [found for part in url.split(";") if (found := login(part))]


def without_login(url: str) -> str:
    """Return the URL without logins, for people and logs."""
    return _LOGIN.sub(lambda match: match["scheme"], url)


def complaint(url: str) -> str | None:
    """Say why clients would take a part of the password for the host, and show it in errors; None: they would not."""
    for part in url.split(";"):
        _, separator, rest = part.partition("://")
        host = re.split("[/?#]", rest, maxsplit=1)[0]
        beyond = "@" in rest[len(host) :] and "@" not in host and ":" in host and not host.rpartition(":")[2].isdigit()
        if separator and (host.count("@") > 1 or beyond):
            return (
                "what is special in its user and password must be written as %XX: @ is %40, : %3A, / %2F, # %23, ? %3F"
            )
    return None
