"""The channels of registrar.yml: checked when the worker starts, and bound to what posts there."""

from dataclasses import dataclass, replace
from typing import cast
from urllib.parse import quote

from registrar import plugins
from registrar.errors import UserError
from registrar.events.approval_buttons import LIFE, Audience
from registrar.events.outcome import Fact
from registrar.plugins import load
from registrar.policy import Policy, plugin_options
from registrar.policy.routes import Channel
from worker.notifications import fact_card
from worker.notifications.notifiers import Notification, Notifier
from worker.registry.protocol import NotFound, PermanentError
from worker.task_context import TaskContext


class ChannelError(UserError, ValueError):
    """A channel of registrar.yml can't be used; the message says which and why. The worker does not start."""


def check(policy: Policy) -> None:
    """Raises ChannelError."""
    for name, channel in policy.channels.items():
        try:
            plugin_options.read(plugins.load("worker.notifications.notifiers", channel.kind), channel.options)
        except plugins.UnknownKind as error:
            raise ChannelError(f"channels.{name}.kind: {error}") from None
        except plugin_options.BadOptions as error:
            raise ChannelError(f"channels.{name}.options: {error}") from None


@dataclass(frozen=True)
class ChannelBinding:
    """notifier: the module of the channel's kind."""

    name: str
    channel: Channel
    notifier: Notifier

    def notification(
        self, context: TaskContext, fact: Fact, *, thread: str | None = None, end: str | None = None
    ) -> Notification:
        """Raises PermanentError. end: how a card ended that is rewritten; it has no buttons any more."""
        return Notification(
            id=context.task.id,
            fact=_of_version(context, fact, self.notifier),
            event_id=context.task.event_id,
            at=context.task.accepted_at,
            url=context.secret(self.channel.url),
            secret=context.secret(self.channel.secret),
            door=_door(self.channel, context.settings.public_url),
            options=self.channel.options,
            source=context.settings.public_url or Notification.source,
            actor=context.task.actor,
            presses=_presses(context, self),
            # Counted from the first attempt: a card that is posted again has the same buttons.
            until=context.task.started_at + LIFE if fact_card.is_card(fact) and end is None else None,
            thread=thread,
            page=_page(fact, context.settings.public_url),
            end=end,
        )


def bind(context: TaskContext, name: str) -> ChannelBinding:
    """Raises PermanentError for a channel that is no longer in registrar.yml."""
    found = context.policy.channels.get(name)
    if found is None:
        raise PermanentError(f"channel {name!r} is in registrar.yml no more")
    return ChannelBinding(name, found, cast("Notifier", load("worker.notifications.notifiers", found.kind)))


def _of_version(context: TaskContext, fact: Fact, notifier: Notifier) -> Fact:
    """Add commit and run to a fact for notifiers that need them. The fact's own values come before the version's."""
    if not getattr(notifier, "NEEDS_VERSION", False) or fact.model is None or fact.version is None:
        return fact
    known = {key: value for key, value in fact.details.items() if value is not None}
    if {"commit", "run_id"} <= set(known):
        return fact
    try:
        version = context.registry.version(fact.model, fact.version)
    except NotFound:
        return fact
    found = {"commit": version.tags.get("registrar.commit"), "run_id": version.run_id}
    return replace(fact, details={**fact.details, **found, **known})


def _door(channel: Channel, public_url: str | None) -> str | None:
    """Return the address at which the receiver takes presses of the channel's buttons."""
    return f"{public_url.rstrip('/')}/webhooks/{channel.buttons}" if channel.buttons and public_url else None


def _presses(context: TaskContext, binding: ChannelBinding) -> Audience | None:
    source = context.policy.presses(binding.name)
    return Audience(binding.channel.kind, source, binding.name) if source else None


def _page(fact: Fact, public_url: str | None) -> str | None:
    """Return the dashboard's page about the fact's promotion, else about its model."""
    if not public_url or not fact.model:
        return None
    base = public_url.rstrip("/")
    if promotion := fact.details.get("promotion"):
        return f"{base}/promotions/{quote(str(promotion), safe='')}"
    return f"{base}/models/{quote(fact.model, safe='')}"
