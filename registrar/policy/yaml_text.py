"""registrar.yml as YAML: its content, and the line of each key; what is no YAML is said in a sentence."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from registrar.policy.errors import Complaint, Place, PolicyError

# By what PyYAML says, in the order they are looked for: what to do about it.
_ADVICE = {
    r"found character '\\t'": "a tab; YAML is indented with blanks",
    r"found character '(.)'": "a text can't begin with {}; put it in quotes",
    r"while scanning an alias|found undefined alias": 'a * begins an alias of YAML; put it in quotes: "*" or "*-taxi"',
    r"mapping values are not allowed": "this line, or the one before, is indented otherwise than what it belongs to; "
    "or it has a second colon, and a text with a colon stands in quotes",
    r"could not find expected ':'": "a key without its colon, here or in the line before",
    r"expected <block end>, but found '(?:-|\?|<block|<scalar>)": "is indented otherwise than what stands beside it",
    r"expected ',' or '[\]}]'": "a comma or a closing bracket is missing, here or before",
    r"found unexpected end of stream|while scanning a quoted scalar": "a quote that is not closed",
    r"could not determine a constructor for the tag '(!\S*?)'": "{} is a tag of YAML, which means nothing here; "
    "a text that begins with ! stands in quotes",
    r"expected a single document": "a second document begins here; the file is one, without --- in between",
    r"found unhashable key": "a list or mapping can't be a key",
}


@dataclass(frozen=True)
class Text:
    """A file that is YAML. lines: of every key and item, by its place."""

    name: str
    content: Any
    lines: dict[tuple[str, ...], int]

    def line(self, complaint: Complaint) -> str:
        """As FILE:LINE: KEY: what is wrong."""
        place, message = complaint
        return f"{self.name}:{self._number(place)}: {'.'.join(map(str, place)) or 'the file'}: {message}"

    def error(self, complaints: list[Complaint]) -> PolicyError:
        """In the order of the file, each once."""
        ordered = sorted(complaints, key=lambda complaint: self._number(complaint[0]))
        return PolicyError("\n".join(dict.fromkeys(self.line(each) for each in ordered)))

    def _number(self, place: Place) -> int:
        """Of the innermost part that stands in the file."""
        parts = tuple(map(str, place))
        standing = (parts[:length] for length in range(len(parts), -1, -1))
        return next((self.lines[part] for part in standing if part in self.lines), 1)


class _Loader(yaml.SafeLoader):
    """Says where a date or a number stands that there is not, such as 2026-02-30."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep=deep)
        except ValueError as error:
            raise yaml.constructor.ConstructorError(
                None, None, f"a date or number that there is not: {error}", node.start_mark
            ) from None


def read(text: str, name: str) -> Text:
    """Raises PolicyError for what is no YAML, and for a key that stands twice in one mapping."""
    try:
        node = yaml.compose(text, Loader=_Loader)
        content = yaml.load(text, Loader=_Loader)  # noqa: S506 (the loader is a SafeLoader)
        lines = dict(_lines(node, ())) if node else {}
        doubled = list(_doubled(node)) if node else []
    except (yaml.reader.ReaderError, yaml.MarkedYAMLError) as error:
        raise PolicyError(_no_yaml(name, text, error)) from None
    except RecursionError:
        raise PolicyError(f"{name}:1: is nested too deeply, or holds itself") from None
    if doubled:
        raise PolicyError(
            "\n".join(f"{name}:{line}: {key} stands here twice; first in line {first}" for key, first, line in doubled)
        )
    return Text(name, content if content is not None else {}, lines)


def _no_yaml(name: str, text: str, error: yaml.reader.ReaderError | yaml.MarkedYAMLError) -> str:
    if isinstance(error, yaml.reader.ReaderError):
        line = text[: error.position].count("\n") + 1
        return f"{name}:{line}: not YAML: a character that can't be seen (U+{ord(text[error.position]):04X})"
    problem = " ".join(filter(None, (error.context, error.problem)))
    place = f"{name}:{error.problem_mark.line + 1}" if error.problem_mark else name
    return f"{place}: not YAML: {_advice(problem)}{_begun(error)}"


def _begun(error: yaml.MarkedYAMLError) -> str:
    begun, ended = error.context_mark, error.problem_mark
    return f" (it began in line {begun.line + 1})" if begun and ended and begun.line < ended.line else ""


def _advice(problem: str) -> str:
    matches = ((re.search(pattern, problem), advice) for pattern, advice in _ADVICE.items())
    return next((advice.format(*match.groups()) for match, advice in matches if match), problem)


def _lines(node: yaml.Node, at: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], int]]:
    """The line of every key and item, by its place."""
    yield at, node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            here = (*at, str(key.value))
            yield from _lines(value, here)
            yield here, key.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield from _lines(value, (*at, str(index)))


def _doubled(node: yaml.Node) -> Iterator[tuple[str, int, int]]:
    """Keys that stand twice in one mapping, and where: YAML would silently keep the last."""
    if isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if (name := str(key.value)) in seen and name != "<<":
                yield name, seen[name], line
            seen.setdefault(name, line)
            yield from _doubled(value)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from _doubled(value)
