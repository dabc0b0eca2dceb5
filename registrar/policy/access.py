"""Who may use the pages and the API: people of this file, by name or by group; and who vouches that it is they."""

import re
from datetime import date
from ipaddress import ip_network
from typing import Annotated, Literal, Self, get_args

from pydantic import AfterValidator, Field, model_validator

from registrar.events.types.terms import Form
from registrar.policy.base_model import SecretRef, Strict


class Delegate(Strict):
    """Somebody who may approve and reject in a person's place, to the end of a day (UTC)."""

    to: Annotated[str, Field(description="one of people")]
    until: Annotated[date, Field(description="the last day: 2026-12-24")]


class Person(Strict):
    """A person. Accounts are the sender's stable ids (slack: TEAM/USER), never display names."""

    name: str
    accounts: Annotated[
        dict[str, str],
        Field(description="account by kind of source: {slack: T0123/U0456}", examples=[{"slack": "T1/U2"}]),
    ] = {}
    delegate: Delegate | None = None


Members = Annotated[list[str], Field(description="people of this file, or source:NAME for a machine")]


Role = Literal["viewer", "approver", "operator"]
ROLES: tuple[Role, ...] = get_args(Role)  # each includes those before it
EVERYBODY = "*"
EMAIL = "email"  # the kind of accounts that are addresses somebody has verified
WEB_ACCOUNT = "web"  # the kind of accounts that are whatever people are called where they sign in
_SIGNS_IN = (WEB_ACCOUNT, EMAIL)
_ISSUER = re.compile(r"https://[^/?#@\s]+(/[^?#\s]*)?|http://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?(/[^?#\s]*)?")


def _network(text: str) -> str:
    try:
        network = ip_network(text)
    except ValueError as error:
        raise ValueError(f"{error}; a network is such as 10.0.0.5/32") from None
    if network.prefixlen == 0:
        raise ValueError(f"{text} is everybody: whoever reaches the receiver could sign in as anybody")
    return text


def _issuer(text: str) -> str:
    if not _ISSUER.fullmatch(text):
        raise ValueError(
            "is no issuer such as https://login.example.com/realms/team, as its own discovery says it: https://, and "
            "nothing behind a ? or #"
        )
    return text


Who = Annotated[str, Field(min_length=1, max_length=64)]
Header = Annotated[
    str,
    Form(
        r"^[A-Za-z][A-Za-z0-9-]{0,63}$(?!\n)", "is no name of a header such as X-Forwarded-User: letters, digits and -"
    ),
]
Network = Annotated[str, AfterValidator(_network)]
Issuer = Annotated[str, AfterValidator(_issuer), Field(max_length=500)]


class TrustedProxy(Strict):
    """A proxy whose X-Forwarded-For is believed, and which may sign people in and say in a header who they are.

    It must take that header away from all others.
    """

    networks: Annotated[
        list[Network], Field(min_length=1, description="where its requests come from; from elsewhere it is nothing")
    ]
    header: Annotated[
        Header | None,
        Field(
            description="whose value is an account `web` of people, and where its name has `Email` in it also an "
            "account `email`; without it the proxy signs nobody in"
        ),
    ] = None
    name_header: Annotated[Header | None, Field(description="what to call somebody who is not in people")] = None

    @property
    def account_kinds(self) -> frozenset[str]:
        """Among which the header's value is looked for. Only a header that says so holds an email."""
        return account_kinds(is_email="email" in (self.header or "").lower())

    @model_validator(mode="after")
    def _name_of_somebody(self) -> Self:
        if self.name_header and not self.header:
            raise ValueError("name_header says what to call whom `header` names: give that too")
        return self


class Oidc(Strict):
    """An OpenID Connect provider that people sign in with: code flow with PKCE."""

    issuer: Issuer
    client_id: Annotated[str, Field(min_length=1, max_length=250)]
    client_secret: SecretRef
    claim: Annotated[
        str,
        Field(
            min_length=1,
            max_length=64,
            description="of the ID token, whose value is an account `web` of people; of `email`, which must be "
            "verified, also an account `email`",
        ),
    ] = EMAIL

    @property
    def account_kinds(self) -> frozenset[str]:
        """Among which the claim's value is looked for. Only `email` is verified (email_verified)."""
        return account_kinds(is_email=self.claim == EMAIL)


def account_kinds(*, is_email: bool) -> frozenset[str]:
    """A name that is no verified email may be chosen to look like one, so it is nobody's account `email`."""
    return frozenset(_SIGNS_IN if is_email else (WEB_ACCOUNT,))


def lesser(one: Role, other: Role) -> Role:
    """The one of two roles that may do less."""
    return min(one, other, key=ROLES.index)


def same_account(kind: str, account: str) -> tuple[str, str]:
    """What is the same for every spelling of an account: those that people sign in with are of one kind, in any case.

    Letters beyond ASCII are compared as they are: a K that is the sign of kelvin is nobody's k.
    """
    if kind not in _SIGNS_IN:
        return kind, account
    return WEB_ACCOUNT, account.lower() if account.isascii() else account


class Access(Strict):
    """Default: nobody. Whoever is in an approval group of any model is an approver at least.

    A role says which pages and commands there are; whose vote counts, groups say, as in chat.
    """

    viewers: Annotated[
        list[Who], Field(description='may look: people and groups of this file; ["*"]: whoever can sign in')
    ] = []
    approvers: Annotated[list[Who], Field(description="may look and say yes or no: people and groups")] = []
    operators: Annotated[list[Who], Field(description="may ask for anything: people and groups of this file")] = []
    trusted_proxy: TrustedProxy | None = None
    oidc: Oidc | None = None

    def named(self, role: Role) -> list[str]:
        """Who stands in the list of a role."""
        return {"viewer": self.viewers, "approver": self.approvers, "operator": self.operators}[role]

    @property
    def all_may_look(self) -> bool:
        """Whoever can sign in, be they in people or not."""
        return EVERYBODY in self.viewers
