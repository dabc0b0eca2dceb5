"""Reads registrar.yml; every complaint names the line."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from registrar.policy.document import Complaint, Policy
from registrar.problem import Problem

Path_ = tuple[str | int, ...]


class PolicyError(Problem, ValueError):
    """registrar.yml can't be used; one line per complaint, as FILE:LINE: KEY: what is wrong."""


def load(path: Path) -> Policy:
    """The policy in a file. Raises PolicyError."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PolicyError(f"{path}: can't be read: {error}") from None
    return parse(text, str(path))


def parse(text: str, name: str = "registrar.yml") -> Policy:
    """The policy in a text; `name` stands for the file in complaints. Raises PolicyError."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        raise PolicyError(f"{name}{line}: not YAML: {getattr(error, 'problem', None) or error}") from None
    lines = dict(_lines(node, ())) if node else {}
    if doubled := next(_doubled(node), None) if node else None:
        raise PolicyError(f"{name}:{doubled[1]}: {doubled[0]} stands here twice")
    try:
        policy = Policy.model_validate(content if content is not None else {})
    except ValidationError as error:
        raise PolicyError("\n".join(_complaint(name, lines, d) for d in error.errors(include_url=False))) from None
    if wrong := policy.inconsistencies():
        raise PolicyError("\n".join(_line(name, lines, path, message) for path, message in wrong))
    return policy


def located(path: Path, complaints: Iterable[Complaint]) -> list[str]:
    """Complaints about a valid file, each as FILE:LINE: KEY: what is wrong."""
    node = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    lines = dict(_lines(node, ())) if node else {}
    return [_line(str(path), lines, at, message) for at, message in complaints]


def _lines(node: yaml.Node, at: Path_) -> Iterator[tuple[Path_, int]]:
    """The line of every key and item, by its path."""
    yield at, node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            here = (*at, str(key.value))
            yield from _lines(value, here)
            yield here, key.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield from _lines(value, (*at, index))


def _doubled(node: yaml.Node) -> Iterator[tuple[str, int]]:
    """Keys that stand twice in one mapping: YAML would silently keep the last."""
    if isinstance(node, yaml.MappingNode):
        seen = set()
        for key, value in node.value:
            if key.value in seen:
                yield str(key.value), key.start_mark.line + 1
            seen.add(key.value)
            yield from _doubled(value)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from _doubled(value)


def _complaint(name: str, lines: dict[Path_, int], detail: Any) -> str:
    """pydantic's locations also name the branches of a union, which stand nowhere in the file: they are left out."""
    path: Path_ = ()
    for nth, part in enumerate(loc := detail["loc"]):
        if nth > 1 and loc[nth - 2] == "gates" and isinstance(loc[nth - 1], int):
            continue  # the kind of a gate, which is named after one of its keys
        path = (*path, part) if (*path, part) in lines else path
    if detail["type"] == "missing":
        return _line(name, lines, path, f"{detail['loc'][-1]} is missing")
    message = "unknown key" if detail["type"] == "extra_forbidden" else detail["msg"].removeprefix("Value error, ")
    return _line(name, lines, path, message)


def _line(name: str, lines: dict[Path_, int], path: Path_, message: str) -> str:
    return f"{name}:{lines.get(path, 1)}: {'.'.join(map(str, path)) or 'the file'}: {message}"
