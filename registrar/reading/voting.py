"""Who may still vote on an open promotion, and what its rules still lack: as the worker will judge it, told before.

The worker judges each vote anew when it comes (worker/actions/vote.py); this is for whoever looks.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from registrar.ledger.promotions import Promotion
from registrar.policy import Policy
from registrar.policy.approval import Approval
from registrar.reading.quorum import unfilled


@dataclass(frozen=True)
class Voter:
    """A person of registrar.yml, or source:NAME."""

    id: str
    name: str


@dataclass(frozen=True)
class Needed:
    """One rule. missing: approvals that it still lacks. may: who could still give one, themselves or as a delegate."""

    group: str
    required: int
    missing: int
    may: tuple[Voter, ...]


@dataclass(frozen=True)
class Excluded:
    """Who may not approve. id None: nobody knows who that is before MLflow is asked."""

    id: str | None
    why: str


@dataclass(frozen=True)
class Voting:
    """rules: all must be met, and a person counts for one. may_reject, may_break_glass: beside those of the rules."""

    rules: tuple[Needed, ...]
    may_reject: tuple[Voter, ...]
    may_break_glass: tuple[Voter, ...]
    excluded: tuple[Excluded, ...]

    @property
    def lacks(self) -> str:
        """For people: "1 more of leads"; "" where nothing is missing."""
        return ", ".join(f"{rule.missing} more of {rule.group}" for rule in self.rules if rule.missing)


def voting(
    policy: Policy, promotion: Promotion, agreed: Sequence[tuple[str, datetime]], *, at: datetime
) -> Voting | None:
    """agreed: who approved, and when. None where nobody is asked: it has ended, or its target takes no approval."""
    target = policy.model(promotion.model).target(promotion.target)
    approval = target.approval if target else None
    if not promotion.open or promotion.state == "approved" or not isinstance(approval, Approval):
        return None
    excluded = tuple(_excluded(policy, promotion, approval))
    without = frozenset(each.id for each in excluded if each.id)
    groups = approval.groups
    members = [
        frozenset(who for who, when in agreed if policy.counts(who, group, at=when, excluded=without))
        for group in groups
    ]
    voted = {who for who, _ in agreed}
    missing = unfilled([rule.required_approvals for rule in approval.rules], members, voted)
    rules = (
        Needed(rule.group, rule.required_approvals, short, _may(policy, [rule.group], at, without, voted))
        for rule, short in zip(approval.rules, missing, strict=True)
    )
    glass = [approval.break_glass.group] if approval.break_glass else []
    return Voting(tuple(rules), _may(policy, groups, at), _may(policy, glass, at), excluded)


def _may(
    policy: Policy,
    groups: Sequence[str],
    at: datetime,
    excluded: frozenset[str] = frozenset(),
    voted: Iterable[str] = (),
) -> tuple[Voter, ...]:
    everybody = [*policy.people, *(f"source:{name}" for name in policy.sources)]
    able = [who for who in everybody if any(policy.counts(who, group, at=at, excluded=excluded) for group in groups)]
    return tuple(Voter(who, name(policy, who)) for who in able if who not in set(voted))


def name(policy: Policy, who: str) -> str:
    """Of somebody in the record, for people."""
    return policy.people[who].name if who in policy.people else who.removeprefix("source:")


def _by_account(policy: Policy, user: str) -> str | None:
    """The person that MLflow knows by that name."""
    return next((who for who, person in policy.people.items() if person.accounts.get("mlflow") == user), None)


def _excluded(policy: Policy, promotion: Promotion, approval: Approval) -> Iterator[Excluded]:
    if "requester" in approval.exclude:
        yield Excluded(promotion.requested_by, f"asked for {promotion}")
    if "author" in approval.exclude:
        trained_by = promotion.evidence.get("trained_by")
        author = _by_account(policy, trained_by) if trained_by else None
        if author or not trained_by:
            yield Excluded(author, f"trained {promotion.model} version {promotion.version}")
