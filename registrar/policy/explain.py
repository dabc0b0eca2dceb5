"""Explains registrar.yml in sentences."""

from collections.abc import Iterator

from registrar.policy import ModelPolicy, Policy, Source, Target
from registrar.policy.access import EVERYBODY
from registrar.policy.approvals import Approval, Rule
from registrar.policy.models import Retention
from registrar.policy.routes import Channel, Route


def explain(policy: Policy) -> Iterator[str]:
    """Yield lines: what each source may send, the targets of each model, notifications, and access."""
    yield "Sources" if policy.sources else "Sources: none; nothing can be sent"
    for name, source in policy.sources.items():
        yield from _source(policy, name, source)
    if policy.sources:
        yield f"  together they may have {policy.max_unfinished:,} unfinished tasks; people's decisions a tenth more"
    yield "Models" if policy.models else "Models: none; no stage is governed"
    for pattern, model in policy.models.items():
        yield from _model(policy, pattern, model)
    yield "Channels" if policy.channels else "Channels: none; nobody is notified"
    yield from (_channel(name, channel) for name, channel in policy.channels.items())
    yield from (_route(route) for route in policy.notify)
    yield from _access(policy)


def _access(policy: Policy) -> Iterator[str]:
    """Describe the roles of pages and API. Approvers in groups are named with their models."""
    roles = [
        ("read", policy.access.viewers),
        ("also approve and reject, within their groups", policy.access.approvers),
        ("also make any request", policy.access.operators),
    ]
    named = [(rights, names) for rights, names in roles if names]
    yield "Pages and API" if named else "Pages and API: for people who may approve, and for tokens"
    for rights, names in named:
        people = ", ".join(_user(policy, name) for name in names)
        yield f"  {people} may {rights}"
    if proxy := policy.access.trusted_proxy:
        header = f"{proxy.header} names the person" if proxy.header else "X-Forwarded-For gives the client's address"
        yield f"  {header}, in requests from {', '.join(proxy.networks)} alone"
    if oidc := policy.access.oidc:
        yield f"  they sign in at {oidc.issuer}, and are identified by {oidc.claim}"


def _user(policy: Policy, who: str) -> str:
    if who == EVERYBODY:
        return "everybody who can sign in"
    if who in policy.people:
        person, oidc = policy.people[who], policy.access.oidc
        if policy.access.trusted_proxy or oidc is None or person.accounts.keys() & oidc.account_kinds:
            return person.name
        kinds = " or ".join(sorted(oidc.account_kinds))
        return f"{person.name} (no account {kinds}: signs in by links alone, and acts by tokens)"
    return f"{who} ({', '.join(policy.members(who))})"


def _source(policy: Policy, name: str, source: Source) -> Iterator[str]:
    yield f"  {name} ({source.kind}) posts to /webhooks/{name}, signed with {' or '.join(source.secrets)}"
    size, wait = f"{source.max_bytes:,} bytes", f"{source.max_unfinished:,} of its tasks may be unfinished"
    yield f"    at most {size}; its timestamps may be off by {source.tolerance} s; {wait}"
    if groups := [group for group, members in policy.groups.items() if f"source:{name}" in members]:
        yield f"    it counts as a member of {', '.join(sorted(groups))}"
    for grant in source.may:
        yield f"    may send {', '.join(grant.events)} about {_models(grant.models)}"
    if not source.may:
        yield "    may send nothing"


def _model(policy: Policy, pattern: str, model: ModelPolicy) -> Iterator[str]:
    which = "Every model without an entry of its own" if pattern == "*" else pattern
    yield f"  {which}, logged as {model.artifact_path!r}"
    for target in model.targets:
        yield from _target(policy, model, target)
    yield from _registry(model)
    if model.retention:
        yield from _retention(policy, model.retention)
    if not model.targets:
        yield "    no stage is governed: every source that may send model_version.transition moves versions freely"


def _retention(policy: Policy, kept: Retention) -> Iterator[str]:
    yield (
        f"    all but the newest {kept.keep_last} versions are marked once they are older than {kept.older_than}, "
        f"and deleted {kept.grace} later; versions in use stay"
    )
    when = f"by itself at {kept.schedule!r} (UTC), and " if kept.schedule else ""
    members = f"one of {kept.group} asks: {', '.join(policy.members(kept.group))}" if kept.group else "somebody asks"
    yield f"      {when}when {members}"


def _target(policy: Policy, model: ModelPolicy, target: Target) -> Iterator[str]:
    alias = f" and @{target.alias}" if target.alias else ""
    asked = "by itself" if target.request == "automatic" else "when somebody asks"
    yield f"    {' or '.join(model.sources_of(target))} -> {target.stage}{alias}, {asked}"
    gates = " and ".join(map(str, target.gates))
    yield f"      gates: {gates}; a missing metric fails" if gates else "      gates: none"
    yield f"      approval: {_approval(policy, target)}"
    yield from (f"      {line}" for line in _follows(target))


def _follows(target: Target) -> Iterator[str]:
    """Yield the effects of reaching a target."""
    if not target.exclusive:
        yield f"other versions may hold {target.stage} beside it"
    elif target.on_replace != "keep":
        yield "the version it replaces " + ("is archived" if target.on_replace == "archive" else "goes back to Staging")
    if target.previous_alias:
        yield f"the version it replaces is @{target.previous_alias}"
    if deploy := target.deploy:
        by = f", to be confirmed within {deploy.confirm_within}" if deploy.confirm_within else ""
        back = "; a failure rolls it back" if deploy.on_failure == "rollback" else ""
        where = f" to {deploy.environment}" if deploy.environment else ""
        yield f"deployed{where} by {', '.join(deploy.to)}{by}{back}"


def _registry(model: ModelPolicy) -> Iterator[str]:
    """Describe how stages and aliases in MLflow are used and checked."""
    if model.mode != "stages+aliases":
        yield f"    only {model.mode} say where a version is"
    if model.register_.from_mlflow != "adopt":
        done = {"tell": "told, and not taken in", "ignore": "ignored"}
        yield f"    a version that is registered in MLflow itself is {done[model.register_.from_mlflow]}"
    if model.drift != "alert":
        done = {
            "revert": "reverted, where the target has gates or approvals",
            "adopt": "adopted: its alias or stage follows, the version replaced leaves",
        }
        yield f"    a change by hand in MLflow is {done[model.drift]}"
    if any(isinstance(target.approval, Approval) for target in model.targets):
        content = f"the content of the smallest, {model.compare_content_mb} MB in all"
        yield f"    an approval holds for the names and sizes of a version's files, and for {content}"
    if model.reconcile_every:
        yield f"    MLflow is compared with the record every {model.reconcile_every}"
    if model.poll_every:
        yield f"    MLflow is asked what changed every {model.poll_every}"


def _approval(policy: Policy, target: Target) -> str:
    if not isinstance(target.approval, Approval):
        return "none needed"
    conditions = ["; and ".join(_rule(policy, rule) for rule in target.approval.rules)]
    conditions += [f"not the {role}" for role in target.approval.exclude]
    conditions += ["a rejection needs a reason"] if target.approval.reject_reason == "required" else []
    return ", ".join([*conditions, *_deadlines(target.approval), *_break_glass(policy, target.approval)])


def _deadlines(approval: Approval) -> Iterator[str]:
    if approval.remind_every:
        yield f"reminded every {approval.remind_every}"
    if approval.escalate:
        yield f"{', '.join(approval.escalate.to)} notified after {approval.escalate.after}"
    if approval.expires_after:
        yield f"expires after {approval.expires_after}"
    if approval.on_newer_candidate == "keep":
        yield "a newer version's request leaves it open"


def _break_glass(policy: Policy, approval: Approval) -> Iterator[str]:
    if approval.break_glass:
        people = ", ".join(policy.members(approval.break_glass.group))
        yield f"the glass may be broken by {approval.break_glass.group}: {people}"


def _rule(policy: Policy, rule: Rule) -> str:
    people = ", ".join(f"{name} ({_accounts(policy, who)})" for who, name in _members(policy, rule.group))
    return f"{rule.required_approvals} of {rule.group}: {people}"


def _members(policy: Policy, group: str) -> list[tuple[str, str]]:
    return list(zip(policy.groups[group], policy.members(group), strict=True))


def _accounts(policy: Policy, who: str) -> str:
    person = policy.people.get(who)
    delegate = person.delegate if person else None
    away = f"; until {delegate.until} also {policy.people[delegate.to].name}" if delegate else ""
    accounts = [f"{kind} {account}" for kind, account in person.accounts.items()] if person else ["a machine"]
    return (", ".join(accounts) or "no account: can't answer from chat") + away


def _channel(name: str, channel: Channel) -> str:
    return f"  {name} ({channel.kind})" + (f" at {channel.url}" if channel.url else "")


def _route(route: Route) -> str:
    what = "everything" if route.outcomes == ["*"] else ", ".join(route.outcomes)
    return f"  {what} about {_models(route.models)} goes to {', '.join(route.to)}"


def _models(globs: list[str]) -> str:
    return "any model" if "*" in globs else ", ".join(globs)
