"""The whole of registrar.yml, and what can be asked of it."""

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator
from datetime import datetime, timedelta
from typing import Annotated, Literal

from pydantic import Field

from registrar.events.event import Actor
from registrar.events.types.terms import Form
from registrar.policy.access import EVERYBODY, ROLES, WEB_ACCOUNT, Access, Members, Person, Role, same_account
from registrar.policy.approvals import Approval
from registrar.policy.base_model import Glob, Strict, most_specific
from registrar.policy.errors import Place
from registrar.policy.models import FromMlflow, ModelPolicy
from registrar.policy.routes import Channel, Route
from registrar.policy.sources import Source
from registrar.text.duration import length

Key = Annotated[
    str,
    Form(
        r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$(?!\n)",
        "is no name that can be referred to: letters, digits, - and _, 64 at most, and the first is no - or _",
    ),
]
OURSELVES = "registrar"  # the source of what the timer starts (worker/scheduler.py)
WEB = "web"  # the source of what is done on the pages and by the API (webhooks/ingress/command_submission.py)


class Policy(Strict):
    """registrar.yml."""

    version: Annotated[Literal[1], Field(description="of this file's format")]
    sources: dict[Key, Source] = {}
    max_unfinished: Annotated[
        int,
        Field(
            ge=10,
            le=1_000_000,
            description="tasks of all sources that are not done yet; more is refused with a 503, "
            "but for a tenth that is kept for what people decide",
        ),
    ] = 50_000
    people: dict[Key, Person] = {}
    groups: dict[Key, Members] = {}
    models: Annotated[dict[Glob, ModelPolicy], Field(description="the most specific name or glob wins")] = {}
    channels: dict[Key, Channel] = {}
    notify: list[Route] = []
    access: Access = Access()

    def approvals(self) -> Iterator[tuple[Place, Approval]]:
        """Every approval that rules say, and where."""
        for name, model in self.models.items():
            for index, target in enumerate(model.targets):
                if isinstance(target.approval, Approval):
                    yield ("models", name, "targets", index, "approval"), target.approval

    def channel_lists(self) -> Iterator[tuple[Place, list[str]]]:
        """Yield every list that names channels, and its place."""
        for index, route in enumerate(self.notify):
            yield ("notify", index, "to"), route.to
        for at, approval in self.approvals():
            if approval.escalate:
                yield (*at, "escalate", "to"), approval.escalate.to
        for name, model in self.models.items():
            for index, target in enumerate(model.targets):
                if target.deploy:
                    yield ("models", name, "targets", index, "deploy", "to"), target.deploy.to

    def references(self) -> Iterator[str]:
        """Where its secrets are, as env:NAME or file:PATH."""
        for source in self.sources.values():
            yield from source.secrets
        for channel in self.channels.values():
            yield from (reference for reference in (channel.url, channel.secret) if reference)
        if self.access.oidc:
            yield self.access.oidc.client_secret

    def model(self, name: str) -> ModelPolicy:
        """The policy in effect for a model; one without targets where no entry matches."""
        pattern = most_specific(list(self.models), name)
        return self.models[pattern] if pattern else ModelPolicy()

    def from_mlflow(self, model: str) -> FromMlflow:
        """What becomes of versions registered in MLflow. Of a model that no entry names, people are only told."""
        pattern = most_specific(list(self.models), model)
        return self.models[pattern].register_.from_mlflow if pattern else "tell"

    @property
    def poll_every(self) -> timedelta | None:
        """How often MLflow is asked what changed: as often as the most impatient entry wants; None: never."""
        return min((length(model.poll_every) for model in self.models.values() if model.poll_every), default=None)

    def actor(self, source_kind: str, account: str, name: str) -> Actor:
        """The person behind an account of a chat system, or an actor in no group."""
        for person_id, person in self.people.items():
            if person.accounts.get(source_kind) == account:
                return Actor(person_id, person.name)
        return Actor(f"{source_kind}:{account}", name)

    def belongs(self, actor_id: str, groups: Iterable[str]) -> bool:
        """Whether somebody is a member of one of these groups: for all that a delegate may not do."""
        return any(actor_id in self.groups.get(group, []) for group in groups)

    def may_vote(
        self, actor_id: str, groups: Collection[str], *, at: datetime, excluded: frozenset[str] = frozenset()
    ) -> bool:
        """Whether somebody may approve and reject for one of these groups at that time: a member, or a delegate."""
        speaking_for = self.represented(actor_id, at=at, excluded=excluded)
        return any(self.belongs(member, groups) for member in speaking_for)

    def represented(self, actor_id: str, *, at: datetime, excluded: frozenset[str] = frozenset()) -> frozenset[str]:
        """Whose seat somebody's vote may take at that time: their own, or that of a person whose delegate they are.

        Nobody stands in for who is excluded, and who is excluded stands in for nobody.
        """
        if actor_id in excluded:
            return frozenset()
        delegating = {
            who
            for who, person in self.people.items()
            if person.delegate and person.delegate.to == actor_id and at.date() <= person.delegate.until
        }
        return frozenset({actor_id} | delegating) - excluded

    def signed_in(self, account: str, *, kinds: Collection[str]) -> str | None:
        """The person whose account of one of these kinds that is, at a proxy or provider that signs people in."""
        owners = {
            same_account(*each): who
            for who, person in self.people.items()
            for each in person.accounts.items()
            if each[0] in kinds
        }
        return owners.get(same_account(WEB_ACCOUNT, account))

    def role(self, person: str, *, at: datetime) -> Role | None:
        """What somebody of `people` may do on the pages and by the API at that time; None: nothing, as anybody else."""
        if person not in self.people:
            return None
        found: list[Role] = [role for role in ROLES if self._is_named(person, self.access.named(role))]
        if self.may_vote(person, self._approving(), at=at) or self.belongs(person, self._breaking_glass()):
            found.append("approver")
        return max(found, key=ROLES.index, default=None)

    def _is_named(self, person: str, named: list[str]) -> bool:
        return any(who in (person, EVERYBODY) or person in self.groups.get(who, []) for who in named)

    def _approving(self) -> set[str]:
        """The groups whose members approve something."""
        return {group for _, approval in self.approvals() for group in approval.groups}

    def _breaking_glass(self) -> set[str]:
        """The groups whose members may break the glass for something."""
        return {approval.break_glass.group for _, approval in self.approvals() if approval.break_glass}

    def members(self, group: str) -> list[str]:
        """The names of a group's members, for people to read."""
        return [self.people[m].name if m in self.people else m for m in self.groups.get(group, [])]

    def presses(self, channel: str) -> str | None:
        """The source by which a channel's presses come in: the one that it names, else the only one of its kind."""
        of_kind = [name for name, source in self.sources.items() if source.kind == self.channels[channel].kind]
        named = self.channels[channel].buttons or (of_kind[0] if len(of_kind) == 1 else None)
        return named if named in of_kind else None

    def channels_for(self, outcome: str, model: str | None) -> list[str]:
        """The channels to tell about an outcome, each once, in the order of the file."""
        return list(dict.fromkeys(to for route in self.notify if route.wants(outcome, model) for to in route.to))

    def digest(self, model: str) -> str:
        """What an approval is bound to: SHA-256 of `bound`."""
        return hashlib.sha256(self.bound(model).encode()).hexdigest()

    def bound(self, model: str) -> str:
        """The model's mode and targets, how much of its files is compared, and the groups they name, as JSON.

        No secret is in it.
        """
        policy = self.model(model)
        approvals = [target.approval for target in policy.targets if isinstance(target.approval, Approval)]
        named = {group for approval in approvals for group in approval.groups}
        named |= {approval.break_glass.group for approval in approvals if approval.break_glass}
        content = [
            policy.model_dump(mode="json", include={"mode", "targets", "compare_content_mb"}),
            {group: sorted(self.groups[group]) for group in sorted(named)},
        ]
        return json.dumps(content, sort_keys=True)


NONE = "(none)"  # no entry of registrar.yml: it was there once


def policy_of(policy: Policy, model: str | None) -> str:
    """The key of registrar.yml's models that is in effect for a model: its name, or a glob."""
    return (most_specific(list(policy.models), model) if model else None) or NONE
