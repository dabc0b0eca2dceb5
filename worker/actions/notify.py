"""worker.notify, after each outcome that a route wants: one channel is told one fact."""

from registrar.outcome import Fact, Outcome
from registrar.plugins import load
from registrar.policy.routes import Channel
from worker.door import Final
from worker.notifiers import Notice, PassedOver
from worker.work import Work


def act(work: Work) -> Outcome:
    name, fact = str(work.given("channel")), Fact(**work.task.args["fact"])
    channel = work.policy.channels.get(name)
    if channel is None:
        raise Final(f"channel {name!r} is in registrar.yml no more")
    notice = Notice(
        id=work.task.id,
        fact=fact,
        event_id=work.task.event_id,
        at=work.task.accepted_at,
        url=work.settings.secret(channel.url) if channel.url else None,
        secret=work.settings.secret(channel.secret) if channel.secret else None,
        door=_door(channel, work.settings.public_url),
        options=channel.options,
    )
    try:
        load("worker.notifiers", channel.kind).post(notice, work.http, work.seal)
    except PassedOver as reason:
        return Outcome(f"{name} was not told of {fact.type}: {reason}")
    return Outcome(f"{name} was told: {fact.text}")


def _door(channel: Channel, public_url: str | None) -> str | None:
    """Where the receiver takes the channel's presses."""
    return f"{public_url.rstrip('/')}/webhooks/{channel.buttons}" if channel.buttons and public_url else None
