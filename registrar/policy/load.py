"""Reads registrar.yml; every complaint names the line."""

from collections.abc import Iterable
from pathlib import Path

from pydantic import ValidationError

from registrar.policy import plugin_options, validation_messages, yaml_text
from registrar.policy.document import Policy
from registrar.policy.errors import Complaint, PolicyError
from registrar.policy.references import unresolved

__all__ = ["PolicyError", "load", "parse", "with_lines"]


def load(path: Path) -> Policy:
    """Return the policy in a file. Raises PolicyError."""
    return parse(_read_text(path), str(path))


def parse(text: str, name: str = "registrar.yml") -> Policy:
    """Return the policy in a text. name: stands for the file in complaints. Raises PolicyError."""
    file = yaml_text.read(text, name)
    try:
        policy = Policy.model_validate(file.content)
    except ValidationError as error:
        problems = validation_messages.complaints(
            Policy, error, file.content, elsewhere=plugin_options.option_of(file.content)
        )
        raise file.error(list(problems)) from None
    if unknown := unresolved(policy):
        raise file.error(unknown)
    return policy


def with_lines(path: Path, complaints: Iterable[Complaint]) -> list[str]:
    """Return complaints about a valid file, each as FILE:LINE: KEY: what is wrong, in the order of the file."""
    problems = list(complaints)
    return str(yaml_text.read(_read_text(path), str(path)).error(problems)).splitlines() if problems else []


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise PolicyError(f"{path}: can't be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise PolicyError(f"{path}: is not UTF-8 text") from None
