"""The channels of registrar.yml: checked when the worker starts, and bound to their notifiers."""

from dataclasses import dataclass, replace
from typing import cast

from registrar import plugins
from registrar.config.settings import Settings
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
    """A channel of registrar.yml can't be used, so the worker does not start. The message says which and why."""


def check(policy: Policy) -> None:
    """Check the kind and the options of each channel. Raises ChannelError."""
    for name, channel in policy.channels.items():
        try:
            plugin_options.read(plugins.load("worker.notifications.notifiers", channel.kind), channel.options)
        except plugins.UnknownKind as error:
            raise ChannelError(f"channels.{name}.kind: {error}") from None
        except plugin_options.BadOptions as error:
            raise ChannelError(f"channels.{name}.options: {error}") from None


@dataclass(frozen=True)
class ChannelBinding:
    """A channel with the module of its kind."""

    name: str
    channel: Channel
    notifier: Notifier

    def notification(
        self, context: TaskContext, fact: Fact, *, thread: str | None = None, end: str | None = None
    ) -> Notification:
        """Return a notification for this channel. end: the text that closes a card; a closed card has no buttons.

        Raises PermanentError where a secret is not set.
        """
        return Notification(
            id=context.task.id,
            fact=_with_commit_and_run(context, fact, self.notifier),
            event_id=context.task.event_id,
            at=context.task.accepted_at,
            url=context.secret(self.channel.url),
            secret=context.secret(self.channel.secret),
            buttons_url=_buttons_url(self.channel, context.settings.public_url),
            options=self.channel.options,
            source=context.settings.public_url or Notification.source,
            actor=context.task.actor,
            button_audience=_button_audience(context, self),
            # Counts from the first attempt, so that a card that is posted again has the same buttons.
            until=context.task.started_at + LIFE if fact_card.is_card(fact) and end is None else None,
            thread=thread,
            page=_page(fact, context.settings),
            end=end,
        )


def bind(context: TaskContext, name: str) -> ChannelBinding:
    """Return a channel with its notifier. Raises PermanentError where it is no longer in registrar.yml."""
    channel = context.policy.channels.get(name)
    if channel is None:
        raise PermanentError(f"channel {name!r} is no longer in registrar.yml")
    return ChannelBinding(name, channel, cast("Notifier", load("worker.notifications.notifiers", channel.kind)))


def _with_commit_and_run(context: TaskContext, fact: Fact, notifier: Notifier) -> Fact:
    """Return a fact with its version's commit and run, for notifiers that need them. The fact's own values stay."""
    if not getattr(notifier, "NEEDS_VERSION", False) or fact.model is None or fact.version is None:
        return fact
    known = {key: value for key, value in fact.details.items() if value is not None}
    if {"commit", "run_id"} <= set(known):
        return fact
    try:
        version = context.registry.version(fact.model, fact.version)
    except NotFound:
        return fact
    read = {"commit": version.tags.get("registrar.commit"), "run_id": version.run_id}
    return replace(fact, details={**fact.details, **read, **known})


def _buttons_url(channel: Channel, public_url: str | None) -> str | None:
    """Return the address at which the receiver takes presses of the channel's buttons."""
    return f"{public_url.rstrip('/')}/webhooks/{channel.buttons}" if channel.buttons and public_url else None


def _button_audience(context: TaskContext, binding: ChannelBinding) -> Audience | None:
    source = context.policy.presses(binding.name)
    return Audience(binding.channel.kind, source, binding.name) if source else None


def _page(fact: Fact, settings: Settings) -> str | None:
    """Return the address of the dashboard's page about the fact's promotion, else about its model."""
    if fact.model and (promotion := fact.details.get("promotion")):
        return settings.page("promotions", str(promotion))
    return settings.page("models", fact.model) if fact.model else None
