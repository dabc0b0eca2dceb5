"""Tell people how to do the next thing: as a chat command, in the words of page, CLI and API, or as an event."""

from registrar.policy.document import WEB
from worker.task_context import TaskContext

_CHATS = frozenset({"slack", "mattermost", "discord", "teams"})  # kinds of sources with chat commands


def pick_instruction(context: TaskContext, *, chat: str, web: str, event: str) -> str:
    """Return the instruction that fits the event's source. web: for pages, CLI and API, which the record does not
    distinguish.
    """
    if context.task.source == WEB:
        return web
    source = context.policy.sources.get(context.task.source)
    return chat if source and source.kind in _CHATS else event


def quoted_model(model: str) -> str:
    """Return a model's name as an argument of chat commands and shells."""
    return f'"{model}"' if " " in model else model


def chat_command(verb: str, model: str, version: int, target: str) -> str:
    """Return the arguments of a chat command about a promotion, such as `approve taxi 3 Production`."""
    return f"{verb} {quoted_model(model)} {version} {target}"
