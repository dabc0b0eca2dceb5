"""The channels of registrar.yml, looked at before the first fact: each needs the file of its kind, fitting options."""

from registrar import plugins
from registrar.errors import UserError
from registrar.policy import Policy, options


class ChannelError(UserError, ValueError):
    """A channel of registrar.yml can't be used; the message names it and says why. The worker does not start."""


def check(policy: Policy) -> None:
    """Raises ChannelError."""
    for name, channel in policy.channels.items():
        try:
            options.read(plugins.load("worker.notifications.notifiers", channel.kind), channel.options)
        except plugins.UnknownKind as error:
            raise ChannelError(f"channels.{name}.kind: {error}") from None
        except options.BadOptions as error:
            raise ChannelError(f"channels.{name}.options: {error}") from None
