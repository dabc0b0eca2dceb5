"""What to do next, in the grammar of the way in which it was asked: chat's words, commands and API, or an event."""

from registrar.policy.document import WEB
from worker.task_context import TaskContext

_CHATS = frozenset({"slack", "mattermost", "discord", "teams"})  # the kinds of source that take a chat's words


def how(context: TaskContext, *, chat: str, web: str, event: str) -> str:
    """Return one of the three. web: for pages, commands and the API, which the record can't tell apart."""
    if context.task.source == WEB:
        return web
    source = context.policy.sources.get(context.task.source)
    return chat if source and source.kind in _CHATS else event


def chat_name(model: str) -> str:
    """A model's name as chats and shells take it."""
    return f'"{model}"' if " " in model else model
