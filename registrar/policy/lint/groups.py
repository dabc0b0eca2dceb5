"""People, their accounts and groups that nothing comes of."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime

from registrar.policy.document import Policy
from registrar.policy.errors import Complaint
from registrar.policy.plugin_options import known
from registrar.text.wording import did_you_mean

# Who acts is known by what the product keeps, and not by a name or an address that can be given to somebody else.
_FORMS = {
    "slack": (re.compile("[A-Za-z0-9]+/[A-Za-z0-9]+"), "Slack is TEAM/MEMBER, such as T0123/U0456"),
    "github": (re.compile("[0-9]+"), 'GitHub is a number, as api.github.com/users/LOGIN says it: "583231"'),
    "discord": (re.compile("[0-9]{1,20}"), 'Discord is the user\'s id, a number such as "53908232506183680"'),
    "mattermost": (re.compile("[a-z0-9]{26}"), "Mattermost is the user's id, 26 letters and digits"),
    "teams": (re.compile("[A-Za-z0-9-]{1,64}"), "Teams is the person's object id in Microsoft Entra"),
}
_OF_OTHERS = ("web", "email", "mlflow")  # those that people sign in with, and that MLflow's runs are started by


def look(policy: Policy) -> Iterator[Complaint]:
    yield from _groups(policy)
    yield from _accounts(policy)
    for who, person in policy.people.items():
        if person.delegate and person.delegate.to == who:
            yield ("people", who, "delegate", "to"), f"{who} would stand in for themselves; name somebody else"
        elif person.delegate and person.delegate.until < datetime.now(UTC).date():
            yield (
                ("people", who, "delegate", "until"),
                f"{person.delegate.until} is over: {person.delegate.to} stands in for {who} no longer; "
                "take the delegate away, or name a later day",
            )
        if not person.accounts and who not in _named(policy):
            yield ("people", who), "has no accounts and stands in no group: nobody can act as them"


def _groups(policy: Policy) -> Iterator[Complaint]:
    used = {group for _, approval in policy.approvals() for group in approval.groups}
    used |= {approval.break_glass.group for _, approval in policy.approvals() if approval.break_glass}
    used |= {model.retention.group for model in policy.models.values() if model.retention and model.retention.group}
    used |= {*policy.access.viewers, *policy.access.approvers, *policy.access.operators}
    for group, members in policy.groups.items():
        if not members:
            yield ("groups", group), "has no members: what only they may do, nobody may"
        elif group not in used:
            yield ("groups", group), "is named nowhere else: no rule, no retention and no access is for its members"
        for nth, member in enumerate(members):
            if member in members[:nth]:
                yield ("groups", group, nth), f"{member} stands here twice, and counts once"


def _accounts(policy: Policy) -> Iterator[Complaint]:
    kinds = known("sources")
    for who, person in policy.people.items():
        for kind, account in person.accounts.items():
            at = ("people", who, "accounts", kind)
            if kinds and kind not in (*kinds, *_OF_OTHERS):
                yield at, f"there is no kind of account {kind!r}{did_you_mean(kind, [*kinds, *_OF_OTHERS])}"
            elif kind in _FORMS and not _FORMS[kind][0].fullmatch(account):
                yield at, f"{account!r} is nobody's: an account of {_FORMS[kind][1]}"


def _named(policy: Policy) -> set[str]:
    """Whoever something else in the file is about."""
    delegates = {person.delegate.to for person in policy.people.values() if person.delegate}
    access = {*policy.access.viewers, *policy.access.approvers, *policy.access.operators}
    return {member for members in policy.groups.values() for member in members} | delegates | access
