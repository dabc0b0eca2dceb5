"""worker.reply, after the first task of an event with a reply address: answer the person who asked."""

from typing import cast

from registrar.config.encryption import REPLY, DecryptionError
from registrar.events.outcome import Outcome
from registrar.plugins import load
from worker.notifications.notifiers import ReplyingNotifier
from worker.notifications.transport import safe_session
from worker.registry.protocol import PermanentError
from worker.task_context import TaskContext


def act(context: TaskContext) -> Outcome:
    try:
        address = context.encryptor.decrypt(context.task.args.get("to", context.task.reply_to) or "", audience=REPLY)
    except DecryptionError as error:
        raise PermanentError(f"the address for the answer can't be read: {error}") from None
    source_name = str(context.task.args.get("source", context.task.source))
    source = context.policy.sources.get(source_name)
    if source is None:
        raise PermanentError(f"source {source_name!r} is no longer in registrar.yml; nobody is answered")
    notifier = cast("ReplyingNotifier", load("worker.notifications.notifiers", address["kind"]))
    with safe_session.session(address["url"], own=notifier.HOSTS, listed=source.reply_to) as http:
        notifier.reply(address["url"], str(context.param("text")), http)
    return Outcome(f"{context.task.args.get('who', context.actor_name)} was answered")
