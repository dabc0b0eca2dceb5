"""Who may still vote on an open promotion, and what its rules still lack: for pages, API, CLI and cards.

The worker decides about each vote anew when it is cast (worker/actions/vote.py), by the same rules.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from registrar.events.states import PromotionState
from registrar.ledger.promotions import Promotion
from registrar.policy import Policy
from registrar.policy.approvals import Approval, missing_approvals, taken_seats


@dataclass(frozen=True)
class Voter:
    """A voter: a person of registrar.yml, or source:NAME."""

    id: str
    name: str


@dataclass(frozen=True)
class Approver:
    """A person whose approval fills a seat of a rule. delegate_of: the name of the member whose seat it is, if another
    person's.
    """

    id: str
    name: str
    at: datetime
    delegate_of: str | None = None


@dataclass(frozen=True)
class Needed:
    """An approval rule. missing: the number of approvals that it still lacks. agreed: whose approvals it has.

    may: people who could still approve, for themselves or as a delegate; while some are missing, only those whose
    approval reduces that number.
    """

    group: str
    required: int
    missing: int
    may: tuple[Voter, ...]
    agreed: tuple[Approver, ...] = ()


@dataclass(frozen=True)
class Excluded:
    """A person who may not approve. id None: only MLflow knows who it is."""

    id: str | None
    why: str


@dataclass(frozen=True)
class Voting:
    """The state of the voting on one promotion.

    rules: all must be met, and a person counts for one of them. may_reject, may_break_glass: in addition to the people
    of the rules. impossible: a sentence why the rules can't be met any more; "": they can.
    """

    rules: tuple[Needed, ...]
    may_reject: tuple[Voter, ...]
    may_break_glass: tuple[Voter, ...]
    excluded: tuple[Excluded, ...]
    impossible: str = ""
    reject_needs_reason: bool = False

    @property
    def lacks(self) -> str:
        """Say what is missing: "1 more of leads"; "": nothing."""
        return in_words([rule.group for rule in self.rules], [rule.missing for rule in self.rules])


def voting(
    policy: Policy, promotion: Promotion, agreed: Sequence[tuple[str, datetime]], *, at: datetime
) -> Voting | None:
    """Return who may vote. agreed: (approver, time). None: the promotion has ended, or its target takes no approval."""
    approval = approval_of(policy, promotion)
    if not promotion.open or promotion.state == PromotionState.APPROVED or approval is None:
        return None
    excluded = tuple(excluded_people(policy, promotion, approval))
    seats = _Seats(policy, approval, agreed, frozenset(each.id for each in excluded if each.id), at)
    everybody = _concerned(policy, approval)
    new = [person for person in everybody if person not in dict(agreed) and seats.may(person, approval.groups)]
    missing, taken = seats.missing(), approvers(policy, approval, agreed, seats.without)
    helpful = [person for person in new if sum(seats.missing(person)) < sum(missing)]
    rules = (
        Needed(
            rule.group,
            rule.required_approvals,
            count,
            _voters(policy, seats.for_rule(rule.group, missing, new, helpful, nth=nth)),
            taken[nth],
        )
        for nth, (rule, count) in enumerate(zip(approval.rules, missing, strict=True))
    )
    glass = [approval.break_glass.group] if approval.break_glass else []
    return Voting(
        tuple(rules),
        _voters(policy, (person for person in everybody if policy.may_vote(person, approval.groups, at=at))),
        _voters(policy, (person for person in everybody if policy.belongs(person, glass))),
        excluded,
        _impossible(approval, seats.missing(*helpful)),
        approval.reject_reason == "required",
    )


def _concerned(policy: Policy, approval: Approval) -> list[str]:
    """Return the members of an approval's groups, and those who may stand in for one, in the order of registrar.yml."""
    groups = [*approval.groups, *([approval.break_glass.group] if approval.break_glass else [])]
    members = {member for group in groups for member in policy.groups.get(group, [])}
    delegates = {each.delegate.to for who, each in policy.people.items() if who in members and each.delegate}
    everybody = (*policy.people, *(f"source:{name}" for name in policy.sources))
    return [who for who in everybody if who in members or who in delegates]


@dataclass(frozen=True)
class _Seats:
    """agreed: who approved, and when. without: who is excluded."""

    policy: Policy
    approval: Approval
    agreed: Sequence[tuple[str, datetime]]
    without: frozenset[str]
    at: datetime

    def missing(self, *more: str) -> list[int]:
        """Return what each rule would lack if these people approved, too."""
        agreed = [*self.agreed, *((who, self.at) for who in more)]
        return unfilled_seats(self.policy, self.approval, agreed, self.without)

    def for_rule(
        self, group: str, missing: Sequence[int], new: Sequence[str], helpful: Sequence[str], *, nth: int
    ) -> Iterator[str]:
        """Yield the people who could still approve for the nth rule. missing: the number that each rule lacks.

        new: people who have not approved; helpful: those of them who fill a seat. A helpful person who is in no group
        of an unmet rule helps too: a person who fills a seat of theirs is free for another one.
        """
        unmet = [rule for rule, lacks in zip(self.approval.groups, missing, strict=True) if lacks]
        for who in helpful if missing[nth] else new:
            if self.may(who, [group]) or (missing[nth] and not self.may(who, unmet)):
                yield who

    def may(self, who: str, groups: Sequence[str]) -> bool:
        return self.policy.may_vote(who, groups, at=self.at, excluded=self.without)


def fills_a_seat(
    policy: Policy, promotion: Promotion, agreed: Sequence[tuple[str, datetime]], actor_id: str, *, at: datetime
) -> bool:
    """Return whether an approval by this person would reduce what the rules lack: less work than `voting`."""
    approval = approval_of(policy, promotion)
    if approval is None or actor_id in dict(agreed):
        return False
    without = frozenset(each.id for each in excluded_people(policy, promotion, approval) if each.id)
    if not policy.may_vote(actor_id, approval.groups, at=at, excluded=without):
        return False
    lacks, left = (unfilled_seats(policy, approval, each, without) for each in (agreed, [*agreed, (actor_id, at)]))
    return sum(left) < sum(lacks)


def unfilled_seats(
    policy: Policy, approval: Approval, agreed: Sequence[tuple[str, datetime]], without: frozenset[str]
) -> list[int]:
    """Return the number of approvals that each rule still lacks.

    agreed: (approver, time); a delegate's approval counts by the delegations of that time. without: excluded people.
    """
    return missing_approvals(*_network_of(policy, approval, agreed, without))


def approvers(
    policy: Policy, approval: Approval, agreed: Sequence[tuple[str, datetime]], without: frozenset[str]
) -> list[tuple[Approver, ...]]:
    """Return who fills the seats of each rule, in its order. agreed, without: as for `unfilled_seats`."""
    seats, times = taken_seats(*_network_of(policy, approval, agreed, without)), dict(agreed)
    return [
        tuple(_approver(policy, who, seat.member, times[who]) for who, seat in seats.items() if seat.rule == nth)
        for nth in range(len(approval.rules))
    ]


def _network_of(
    policy: Policy, approval: Approval, agreed: Sequence[tuple[str, datetime]], without: frozenset[str]
) -> tuple[list[int], list[list[str]], dict[str, frozenset[str]]]:
    """Return what `missing_approvals` is given."""
    required = [rule.required_approvals for rule in approval.rules]
    seats = {who: policy.represented(who, at=when, excluded=without) for who, when in agreed}
    return required, [policy.groups.get(group, []) for group in approval.groups], seats


def in_words(groups: Sequence[str], missing: Sequence[int]) -> str:
    """Say what the rules lack, such as "1 more of leads"; "": nothing is missing."""
    return ", ".join(f"{count} more of {group}" for group, count in zip(groups, missing, strict=True) if count)


def _impossible(approval: Approval, missing: Sequence[int]) -> str:
    """missing: by rule, after everybody who may still approve has done so."""
    short = in_words(approval.groups, missing)
    return f"can't be met any more: nobody is left who may give {short}" if short else ""


def _approver(policy: Policy, who: str, member: str, at: datetime) -> Approver:
    return Approver(who, name(policy, who), at, None if member == who else name(policy, member))


def _voters(policy: Policy, who: Iterable[str]) -> tuple[Voter, ...]:
    return tuple(Voter(each, name(policy, each)) for each in who)


def name(policy: Policy, who: str) -> str:
    """Return the name of an actor in the record, for people."""
    return policy.people[who].name if who in policy.people else who.removeprefix("source:")


def by_account(policy: Policy, user: str) -> str | None:
    """Return the person whom MLflow knows by that name."""
    return next((who for who, person in policy.people.items() if person.accounts.get("mlflow") == user), None)


def approval_of(policy: Policy, promotion: Promotion) -> Approval | None:
    """Return the rules in effect; None where the target is gone or needs no approval any more."""
    target = policy.model(promotion.model).target(promotion.target)
    return target.approval if target and isinstance(target.approval, Approval) else None


def may_cancel(policy: Policy, promotion: Promotion, actor_id: str) -> bool:
    """Return whether somebody may withdraw an open request: its requester, and members of its groups; no delegates."""
    approval = approval_of(policy, promotion)
    return actor_id == promotion.requested_by or policy.belongs(actor_id, approval.groups if approval else [])


def excluded_people(policy: Policy, promotion: Promotion, approval: Approval) -> Iterator[Excluded]:
    """Yield the people whose approval would not count, though their group's would."""
    if "requester" in approval.exclude:
        yield Excluded(promotion.requested_by, f"asked for {promotion}")
    if "author" in approval.exclude:
        trained_by = promotion.evidence.get("trained_by")
        author = by_account(policy, trained_by) if trained_by else None
        if author or trained_by is None:
            yield Excluded(author, f"trained {promotion.model} version {promotion.version}")
