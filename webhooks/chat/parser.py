"""Parses a command typed in any chat system, and makes the immediate answer.

The worker posts the outcome later, to the reply address of the message.
"""

from collections.abc import Callable
from dataclasses import dataclass

from registrar.events.left_out import is_left_out
from registrar.events.types import Data
from registrar.text.wording import nearest
from webhooks.chat.arguments import first_word
from webhooks.chat.commands import ALIASES, COMMANDS, Command
from webhooks.ingress import validation
from webhooks.ingress.errors import InvalidEvent
from webhooks.ingress.source_types import Answer
from webhooks.ingress.validation import clean

# Similarity of a misspelt command to one of ours.
_ALIKE = 0.7
LATER = "The result will appear here."
ELSEWHERE = "The result goes to the channels that registrar.yml routes it to."


@dataclass(frozen=True)
class ParsedCommand:
    """A parsed command. data: of its event; None: there is nothing to do, and the text is the whole answer.

    describe: returns the answer to the command once its version is found, where it names none.
    """

    data: Data | None
    text: str
    describe: Callable[[Data], str] = str

    def answer_of(self, answer: Callable[[str], Answer]) -> Callable[[Data], Answer] | None:
        """Return Parsed.answer_of. answer: makes the chat system's answer of a text."""
        if self.data is None or not is_left_out(self.data):
            return None
        return lambda data: answer(self.describe(data))


def parse(
    text: str, *, command: str = "/registry", later: str = LATER, granted: Callable[[str], bool] = lambda type_: True
) -> ParsedCommand:
    """Parse the text after `command`. later: says where the result appears. Raises InvalidEvent with the usage.

    granted: whether the source may send events of a type; help lists no others.
    """
    first, rest = first_word(normalize(text))
    if first is None or first.lower() == "help":
        return ParsedCommand(None, _help(command, granted))
    subcommand = COMMANDS.get(ALIASES.get(first.lower(), first.lower()))
    if subcommand is None:
        near = nearest(first, [*COMMANDS, *ALIASES], like=_ALIKE)
        hint = f"; did you mean {near}?" if near else ""
        raise InvalidEvent(f"{clean(first)} is no command{hint}; {command} help lists the commands")
    return _parse(subcommand, rest.strip(), command, later)


def normalize(text: str) -> str:
    """Normalise typed text: straight quotes, no invisible marks."""
    return text.translate(_NORMALIZED)


def _parse(subcommand: Command, rest: str, command: str, later: str) -> ParsedCommand:
    try:
        data = validation.command(subcommand.type, subcommand.read(rest))
    except InvalidEvent as error:
        messages = [_message(**each) for each in error.errors] or [error.detail]
        raise InvalidEvent(f"{'; '.join(messages)}. Use: {command} {subcommand.usage}", errors=error.errors) from None
    return ParsedCommand(data, _answer(subcommand, data, later), lambda found: _answer(subcommand, found, later))


def press_answer(data: Data, *, later: str = LATER) -> str:
    """Return the answer to a press of Approve or Reject."""
    return _answer(COMMANDS[data.type.removeprefix("promotion.")], data, later)


def _answer(subcommand: Command, data: Data, later: str) -> str:
    return f"{subcommand.accepted.format_map(data.model_dump())} {later}"


_IN_USAGES = {"target": "stage", "filter_string": "filter", "task_id": "task", "run_id": "run", "older_than": "age"}


def _message(field: str, message: str) -> str:
    """Return an error with the field's name in the usage; an error of the whole data has no name."""
    if field == "data":
        return message.removeprefix("is wrong: ")
    name = field.removeprefix("data.")
    return f"{_IN_USAGES.get(name, name)} {message}"


def _help(command: str, granted: Callable[[str], bool]) -> str:
    usable = [each for each in COMMANDS.values() if granted(each.type)]
    none = [] if usable else ["registrar.yml grants none of these here yet (`may` of this source):"]
    lines = [f"{command} {each.usage}: {each.description}" for each in usable or COMMANDS.values()]
    closing = 'Quote a name with spaces: "nyc taxi". A version may be left out where only one fits.'
    return "\n".join([*none, *lines, closing])


# Keyboards turn straight quotes into these; copied text may have invisible marks.
_NORMALIZED = str.maketrans(
    {
        **dict.fromkeys("\u201c\u201d\u201e\u201f\u00ab\u00bb\u2033\uff02", '"'),
        **dict.fromkeys("\u2018\u2019\u201a\u201b", "'"),
    }
    | dict.fromkeys("\u00ad\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff")
)
