"""worker.notify, after each outcome that a route wants: one channel is told one fact."""

from dataclasses import replace
from types import ModuleType

from registrar.outcome import Fact, Outcome
from registrar.plugins import load
from registrar.policy.routes import Channel
from worker.door import Final, NotFound
from worker.notifiers import Notice, PassedOver
from worker.work import Work


def act(work: Work) -> Outcome:
    name, fact = str(work.given("channel")), Fact(**work.task.args["fact"])
    channel = work.policy.channels.get(name)
    if channel is None:
        raise Final(f"channel {name!r} is in registrar.yml no more")
    notifier, public_url = load("worker.notifiers", channel.kind), work.settings.public_url
    notice = Notice(
        id=work.task.id,
        fact=_of_version(work, fact, notifier),
        event_id=work.task.event_id,
        at=work.task.accepted_at,
        url=work.settings.secret(channel.url) if channel.url else None,
        secret=work.settings.secret(channel.secret) if channel.secret else None,
        door=_door(channel, public_url),
        options=channel.options,
        source=public_url or Notice.source,
        actor=work.task.actor,
    )
    try:
        notifier.post(notice, work.http, work.seal)
    except PassedOver as reason:
        return Outcome(f"{name} was not told of {fact.type}: {reason}")
    return Outcome(f"{name} was told: {fact.text}")


def _of_version(work: Work, fact: Fact, notifier: ModuleType) -> Fact:
    """Most facts do not carry what only deploy systems and commits are about. One's own word goes before the tag."""
    if not getattr(notifier, "NEEDS_VERSION", False) or fact.model is None or fact.version is None:
        return fact
    known = {key: value for key, value in fact.details.items() if value is not None}
    if {"commit", "run_id"} <= set(known):
        return fact
    try:
        version = work.registry.version(fact.model, fact.version)
    except NotFound:
        return fact
    found = {"commit": version.tags.get("registrar.commit"), "run_id": version.run_id}
    return replace(fact, details={**fact.details, **found, **known})


def _door(channel: Channel, public_url: str | None) -> str | None:
    """Where the receiver takes the channel's presses."""
    return f"{public_url.rstrip('/')}/webhooks/{channel.buttons}" if channel.buttons and public_url else None
