"""Warns about people, accounts and groups that have no effect."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime

from registrar.policy.document import Policy
from registrar.policy.errors import Complaint
from registrar.policy.plugin_options import known
from registrar.text.wording import did_you_mean

# People are identified by ids that a product never gives to somebody else, not by names or addresses.
_FORMS = {
    "slack": (re.compile("[A-Za-z0-9]+/[A-Za-z0-9]+"), "Slack is TEAM/MEMBER, such as T0123/U0456"),
    "github": (re.compile("[0-9]+"), 'GitHub is a number, as api.github.com/users/LOGIN says it: "583231"'),
    "discord": (re.compile("[0-9]{1,20}"), 'Discord is the user\'s id, a number such as "53908232506183680"'),
    "mattermost": (re.compile("[a-z0-9]{26}"), "Mattermost is the user's id, 26 letters and digits"),
    "teams": (re.compile("[A-Za-z0-9-]{1,64}"), "Teams is the person's object id in Microsoft Entra"),
}
_OTHER_KINDS = ("web", "email", "mlflow")  # of sign-ins, and of the user of an MLflow run


def check(policy: Policy) -> Iterator[Complaint]:
    yield from _groups(policy)
    yield from _accounts(policy)
    for who, person in policy.people.items():
        if person.delegate and person.delegate.to == who:
            yield ("people", who, "delegate", "to"), f"{who} can't be their own delegate; name somebody else"
        elif person.delegate and person.delegate.until < datetime.now(UTC).date():
            yield (
                ("people", who, "delegate", "until"),
                f"{person.delegate.until} is over, so {person.delegate.to} no longer stands in for {who}; remove the "
                "delegate, or name a later day",
            )
        if not person.accounts and who not in _named(policy):
            yield ("people", who), "has no accounts and is in no group, so nobody can act as this person"


def _groups(policy: Policy) -> Iterator[Complaint]:
    used = {group for _, approval in policy.approvals() for group in approval.groups}
    used |= {approval.break_glass.group for _, approval in policy.approvals() if approval.break_glass}
    used |= {model.retention.group for model in policy.models.values() if model.retention and model.retention.group}
    used |= {*policy.access.viewers, *policy.access.approvers, *policy.access.operators}
    for group, members in policy.groups.items():
        if not members:
            yield ("groups", group), "has no members, so nobody has the rights of this group"
        elif group not in used:
            yield ("groups", group), "is not used: no rule, retention or access names it"
        for nth, member in enumerate(members):
            if member in members[:nth]:
                yield ("groups", group, nth), f"{member} is listed twice, but counts once"


def _accounts(policy: Policy) -> Iterator[Complaint]:
    kinds = known("sources")
    for who, person in policy.people.items():
        for kind, account in person.accounts.items():
            at = ("people", who, "accounts", kind)
            if kinds and kind not in (*kinds, *_OTHER_KINDS):
                yield at, f"there is no kind of account {kind!r}{did_you_mean(kind, [*kinds, *_OTHER_KINDS])}"
            elif kind in _FORMS and not _FORMS[kind][0].fullmatch(account):
                yield at, f"{account!r} can't be an account: one of {_FORMS[kind][1]}"


def _named(policy: Policy) -> set[str]:
    """Return the people that groups, delegates or access name."""
    delegates = {person.delegate.to for person in policy.people.values() if person.delegate}
    access = {*policy.access.viewers, *policy.access.approvers, *policy.access.operators}
    return {member for members in policy.groups.values() for member in members} | delegates | access
