"""Parses a command typed in any chat system, and words the immediate answer.

The worker posts the outcome later, to the reply address of the message.
"""

from dataclasses import dataclass

from registrar.events.types import Data
from webhooks.chat.commands import COMMANDS, Command, first_word
from webhooks.ingress import validation
from webhooks.ingress.errors import InvalidEvent
from webhooks.ingress.validation import clean

LATER = "The result will appear here."
ELSEWHERE = "Its result is told in the channels that registrar.yml routes it to."


@dataclass(frozen=True)
class Understood:
    """A parsed command. data None: nothing is to be done, and the text is the whole answer."""

    data: Data | None
    text: str


def understand(text: str, *, command: str = "/registry", later: str = LATER) -> Understood:
    """Parse the text behind `command`. later: where the result appears. Raises InvalidEvent with the usage."""
    first, rest = first_word(typed(text))
    if first is None or first.lower() == "help":
        return Understood(None, _help(command))
    known = COMMANDS.get(first.lower())
    if known is None:
        raise InvalidEvent(f"{clean(first)} is nothing I know; {command} help lists what is")
    return _understood(known, rest.strip(), command, later)


def typed(text: str) -> str:
    """Normalise typed text: straight quotes, no invisible marks."""
    return text.translate(_TYPED)


def _understood(known: Command, rest: str, command: str, later: str) -> Understood:
    try:
        data = validation.data(known.type, known.read(rest))
    except InvalidEvent as error:
        wrong = [_complaint(**each) for each in error.errors] or [error.detail]
        raise InvalidEvent(f"{'; '.join(wrong)}. Use: {command} {known.usage}", errors=error.errors) from None
    return Understood(data, _taken(known, data, later))


def pressed(data: Data, *, later: str = LATER) -> str:
    """Return the answer to a press of Approve or Reject."""
    return _taken(COMMANDS[data.type.removeprefix("promotion.")], data, later)


def _taken(known: Command, data: Data, later: str) -> str:
    return f"{known.accepted.format_map(data.model_dump())} {later}"


def _complaint(field: str, message: str) -> str:
    """Word an error by the usage's names; an error of the whole data is its message only."""
    if field == "data":
        return message.removeprefix("is wrong: ")
    name = field.removeprefix("data.")
    return f"{ {'target': 'stage', 'filter_string': 'filter', 'task_id': 'task'}.get(name, name) } {message}"


def _help(command: str) -> str:
    lines = [f"{command} {known.usage}: {known.what}" for known in COMMANDS.values()]
    return "\n".join([*lines, 'A name with spaces goes in quotes: "nyc taxi".'])


# Keyboards turn straight quotes into these, and copied text may contain invisible marks.
_TYPED = str.maketrans(
    {
        **dict.fromkeys("\u201c\u201d\u201e\u201f\u00ab\u00bb\u2033\uff02", '"'),
        **dict.fromkeys("\u2018\u2019\u201a\u201b", "'"),
    }
    | dict.fromkeys("\u00ad\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff")
)
