"""The whole of registrar.yml, and what can be asked of it."""

import hashlib
import json
from typing import Annotated, Literal

from pydantic import Field

from registrar.event import Actor
from registrar.policy.models import Approval, ModelPolicy, Rule
from registrar.policy.people import Members, Person
from registrar.policy.routes import Channel, Route
from registrar.policy.sources import Source
from registrar.policy.strict import Glob, Strict, most_specific

Key = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$(?!\n)")]
Complaint = tuple[tuple[str | int, ...], str]


class Policy(Strict):
    """registrar.yml."""

    version: Annotated[Literal[1], Field(description="of this file's format")]
    sources: dict[Key, Source] = {}
    people: dict[Key, Person] = {}
    groups: dict[Key, Members] = {}
    models: Annotated[dict[Glob, ModelPolicy], Field(description="the most specific name or glob wins")] = {}
    channels: dict[Key, Channel] = {}
    notify: list[Route] = []

    def inconsistencies(self) -> list[Complaint]:
        """Names used in one part that the other part lacks, each with the place that uses it."""
        return [
            *self._unknown_members(),
            *self._unfillable_rules(),
            *self._unknown_channels(),
            *self._unknown_doors(),
            *self._shared_accounts(),
        ]

    def _unknown_members(self) -> list[Complaint]:
        known = set(self.people) | {f"source:{name}" for name in self.sources}
        return [
            (("groups", group, index), f"{member!r} is neither in people nor a source:NAME of this file")
            for group, members in self.groups.items()
            for index, member in enumerate(members)
            if member not in known
        ]

    def _unfillable_rules(self) -> list[Complaint]:
        return [
            (("models", name, "targets", index, "approval", "rules", nth), self._too_few(rule))
            for name, model in self.models.items()
            for index, target in enumerate(model.targets)
            if isinstance(target.approval, Approval)
            for nth, rule in enumerate(target.approval.rules)
            if len(set(self.groups.get(rule.group, []))) < rule.required_approvals
        ]

    def _too_few(self, rule: Rule) -> str:
        if rule.group not in self.groups:
            return f"group {rule.group!r} is not in groups"
        return f"group {rule.group!r} has too few members for {rule.required_approvals} approvals"

    def _unknown_channels(self) -> list[Complaint]:
        return [
            (("notify", index, "to", nth), f"{channel!r} is not in channels")
            for index, route in enumerate(self.notify)
            for nth, channel in enumerate(route.to)
            if channel not in self.channels
        ]

    def _unknown_doors(self) -> list[Complaint]:
        return [
            (("channels", name, "buttons"), f"{channel.buttons!r} is not in sources")
            for name, channel in self.channels.items()
            if channel.buttons is not None and channel.buttons not in self.sources
        ]

    def _shared_accounts(self) -> list[Complaint]:
        accounts = [(account, who) for who, person in self.people.items() for account in person.accounts.items()]
        first = dict(reversed(accounts))
        return [
            (("people", who, "accounts", kind), f"{value} is people.{first[kind, value]}'s account already")
            for (kind, value), who in accounts
            if first[kind, value] != who
        ]

    def model(self, name: str) -> ModelPolicy:
        """The policy in effect for a model; one without targets where no entry matches."""
        pattern = most_specific(list(self.models), name)
        return self.models[pattern] if pattern else ModelPolicy()

    def actor(self, source_kind: str, account: str, name: str) -> Actor:
        """The person behind an account of a chat system, or an actor in no group."""
        for person_id, person in self.people.items():
            if person.accounts.get(source_kind) == account:
                return Actor(person_id, person.name)
        return Actor(f"{source_kind}:{account}", name)

    def groups_of(self, actor_id: str) -> set[str]:
        """The groups that hold a person or a source:NAME."""
        return {group for group, members in self.groups.items() if actor_id in members}

    def members(self, group: str) -> list[str]:
        """The names of a group's members, for people to read."""
        return [self.people[m].name if m in self.people else m for m in self.groups.get(group, [])]

    def channels_for(self, outcome: str, model: str | None) -> list[str]:
        """The channels to tell about an outcome, each once, in the order of the file."""
        return list(dict.fromkeys(to for route in self.notify if route.wants(outcome, model) for to in route.to))

    def digest(self, model: str) -> str:
        """What an approval is bound to: SHA-256 of the model's policy and the groups it names."""
        policy = self.model(model)
        named = {g for t in policy.targets if isinstance(t.approval, Approval) for g in t.approval.groups}
        content = [policy.model_dump(mode="json"), {group: sorted(self.groups[group]) for group in sorted(named)}]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
