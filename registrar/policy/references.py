"""Refuses a registrar.yml that uses names which it does not define, or has rules that nobody can ever meet."""

from collections.abc import Collection, Iterator
from itertools import chain

from registrar.policy.access import EVERYBODY, same_account
from registrar.policy.approvals import Approval, Rule, missing_approvals
from registrar.policy.document import OURSELVES, WEB, Policy
from registrar.policy.errors import Complaint, Place
from registrar.policy.gates import RequiredTags
from registrar.text.wording import did_you_mean, plural

_RESERVED = {OURSELVES: "what Registrar itself is called", WEB: "what its own pages and API are called"}


def unresolved(policy: Policy) -> list[Complaint]:
    """Return the complaints, each with the place that uses the name."""
    return list(
        chain(
            (
                (("sources", name), f"{name!r} is {why}; choose another name")
                for name, why in _RESERVED.items()
                if name in policy.sources
            ),
            _members(policy),
            _delegates(policy),
            _rules(policy),
            _authors(policy),
            _break_glass(policy),
            _retention_groups(policy),
            _tag_sources(policy),
            _channels(policy),
            _button_sources(policy),
            _accounts(policy),
            _access(policy),
        )
    )


def _unknown(name: str, known: Collection[str], where: str) -> str | None:
    return None if name in known else f"{name!r} is not in {where}{did_you_mean(name, known)}"


def _members(policy: Policy) -> Iterator[Complaint]:
    known = [*policy.people, *(f"source:{name}" for name in policy.sources)]
    names = {person.name: who for who, person in policy.people.items()}
    for group, members in policy.groups.items():
        for index, member in enumerate(members):
            if member not in known:
                at: Place = ("groups", group, index)
                if member in policy.sources:
                    yield at, f"{member!r} is a source; as a member it is called source:{member}"
                elif member in policy.groups:
                    yield at, f"{member!r} is a group, and a group has no groups in it; name its members"
                elif member in names:
                    yield at, f"{member!r} is a person's name; a member is named by the id: {names[member]}"
                else:
                    yield (
                        at,
                        f"{member!r} is neither in people nor a source:NAME of this file{did_you_mean(member, known)}",
                    )


def _delegates(policy: Policy) -> Iterator[Complaint]:
    for who, person in policy.people.items():
        if person.delegate and (why := _unknown(person.delegate.to, policy.people, "people")):
            yield ("people", who, "delegate", "to"), why


def _rules(policy: Policy) -> Iterator[Complaint]:
    for at, approval in policy.approvals():
        complaints = [
            ((*at, "rules", nth), why) for nth, rule in enumerate(approval.rules) if (why := _rule(policy, rule))
        ]
        yield from complaints
        if not complaints and (why := _too_few_people(policy, approval)):
            yield (*at, "rules"), why


def _rule(policy: Policy, rule: Rule) -> str | None:
    if why := _group(policy, rule.group):
        return why
    members = len(set(policy.groups[rule.group]))
    if members >= rule.required_approvals:
        return None
    if not members:
        return f"group {rule.group!r} has no members: nobody could approve; add some under groups"
    return f"group {rule.group!r} has too few members for {rule.required_approvals} approvals: it has {members}"


def _group(policy: Policy, name: str) -> str | None:
    why = _unknown(name, policy.groups, "groups")
    if why and name in policy.people:
        return f"{name!r} is a person, and a group belongs here: put them into one under groups"
    return why and f"group {why}"


def _too_few_people(policy: Policy, approval: Approval) -> str | None:
    """Say whether the groups can meet all rules at once, given that a person counts for one rule only."""
    groups = [policy.groups[rule.group] for rule in approval.rules]
    everybody = {member: {member} for group in groups for member in group}
    required = [rule.required_approvals for rule in approval.rules]
    if not any(missing_approvals(required, groups, everybody)):
        return None
    return (
        f"can't be met: together they ask for {sum(required)} approvals, a person counts for one of them, and the "
        f"groups have {plural(len(everybody), 'member')} in all"
    )


def _authors(policy: Policy) -> Iterator[Complaint]:
    """Refuse `exclude: [author]` where no author can be known, as it would let authors approve."""
    for at, approval in policy.approvals():
        members = {member for group in approval.groups for member in policy.groups.get(group, [])}
        known = [name for name in members if name in policy.people and "mlflow" in policy.people[name].accounts]
        if "author" in approval.exclude and members and not known:
            nth = approval.exclude.index("author")
            yield (
                (*at, "exclude", nth),
                "excludes nobody: a version's author is known by the account `mlflow` of people, and no member of "
                f"{', '.join(dict.fromkeys(approval.groups))} has one; add it, such as accounts: {{mlflow: ada}}",
            )


def _break_glass(policy: Policy) -> Iterator[Complaint]:
    for at, approval in policy.approvals():
        glass = approval.break_glass
        if glass and (why := _group(policy, glass.group)):
            yield (*at, "break_glass"), why


def _retention_groups(policy: Policy) -> Iterator[Complaint]:
    for name, model in policy.models.items():
        kept = model.retention
        if kept and kept.group and (why := _group(policy, kept.group)):
            yield ("models", name, "retention", "group"), why


def _tag_sources(policy: Policy) -> Iterator[Complaint]:
    for name, model in policy.models.items():
        for index, target in enumerate(model.targets):
            for nth, gate in enumerate(target.gates):
                for source in gate.sources if isinstance(gate, RequiredTags) else ():
                    if why := _unknown(source, policy.sources, "sources"):
                        yield ("models", name, "targets", index, "gates", nth, "by"), why


def _channels(policy: Policy) -> Iterator[Complaint]:
    for at, channels in policy.channel_lists():
        for nth, channel in enumerate(channels):
            if why := _unknown(channel, policy.channels, "channels"):
                yield (*at, nth), why


def _button_sources(policy: Policy) -> Iterator[Complaint]:
    for name, channel in policy.channels.items():
        if channel.buttons is None:
            continue
        at: Place = ("channels", name, "buttons")
        if why := _unknown(channel.buttons, policy.sources, "sources"):
            yield at, why
        elif policy.sources[channel.buttons].kind != channel.kind:
            of_kind = [name for name, source in policy.sources.items() if source.kind == channel.kind]
            more = f"; {' or '.join(of_kind)} does" if of_kind else ""
            yield at, f"{channel.buttons!r} does not take button presses of kind {channel.kind}{more}"


def _accounts(policy: Policy) -> Iterator[Complaint]:
    accounts = [(account, who) for who, person in policy.people.items() for account in person.accounts.items()]
    first = {same_account(*account): who for account, who in reversed(accounts)}
    for account, who in accounts:
        if (owner := first[same_account(*account)]) != who:
            yield ("people", who, "accounts", account[0]), f"{account[1]} is people.{owner}'s account already"


def _access(policy: Policy) -> Iterator[Complaint]:
    known = [*policy.people, *policy.groups]
    for key, more in (("viewers", [EVERYBODY]), ("approvers", []), ("operators", [])):
        for index, who in enumerate(getattr(policy.access, key)):
            if who == EVERYBODY and not more:
                yield ("access", key, index), f"{who!r} is for viewers alone; name people or groups"
            elif who not in (*known, *more):
                yield ("access", key, index), f"{who!r} is neither in people nor in groups{did_you_mean(who, known)}"
