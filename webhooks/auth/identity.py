"""From what a proxy or a provider vouches for to somebody of registrar.yml, or a guest who may look."""

from dataclasses import dataclass
from datetime import datetime

from registrar.events.event import Actor
from registrar.policy import Policy
from webhooks.auth.principal import By, Principal
from webhooks.ingress.errors import NotPermitted
from webhooks.ingress.sanitize import clean

LONGEST = 250  # characters of an account


@dataclass(frozen=True)
class Identity:
    """account: what they are called where they signed in. kinds: of people's accounts that it may be one of. name: for
    people to read; None: nobody said. subject: what an OpenID provider knows them by for good.
    """

    account: str
    kinds: frozenset[str]
    name: str | None = None
    subject: str | None = None


def is_account(text: str) -> bool:
    """A comma comes of a header that was sent twice, once by whoever wants to be somebody else."""
    return 0 < len(text) <= LONGEST and text.isprintable() and "," not in text


def principal_of(policy: Policy, identity: Identity, by: By, *, at: datetime, session: str | None = None) -> Principal:
    """Raises NotPermitted for somebody to whom registrar.yml gives nothing."""
    person = policy.signed_in(identity.account, kinds=identity.kinds)
    if person and (role := policy.role(person, at=at)):
        return Principal(Actor(person, policy.people[person].name), role, by, session=session)
    if policy.access.all_may_look:
        name = clean((identity.name or "").strip() or identity.account, length=LONGEST)
        return Principal(Actor(f"web:{identity.account}", name), "viewer", by, session=session)
    who = clean(identity.account, length=LONGEST)
    known = (
        f"who is {person} there, has no role: add them to `access`"
        if person
        else (f"is nobody's account there: add `accounts: {{web: {who}}}` to one of people, and them to `access`")
    )
    raise NotPermitted(f"{who} is signed in, and registrar.yml lets them do nothing: {who} {known}")
