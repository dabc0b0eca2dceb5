"""Says whether a glob matches anything, and makes sample names that it matches."""

import re
from collections.abc import Collection

from pydantic import TypeAdapter, ValidationError

from registrar.events.types import ModelName
from registrar.policy.base_model import matches
from registrar.text.wording import did_you_mean

_SET = re.compile(r"\[(!?)(\]?[^\]]*)\]")
_NAME = TypeAdapter(ModelName)


def matches_nothing(pattern: str, known: Collection[str], what: str) -> str | None:
    """Say that a pattern matches none of these dotted words; None where it matches one."""
    if any(matches([pattern], word) for word in known):
        return None
    families = {f"{word.rpartition('.')[0]}.*": None for word in known}
    near = did_you_mean(pattern, families if "*" in pattern else [*known])
    return f"{pattern!r} matches no {what}{near}"


def no_model(pattern: str) -> str | None:
    """Say why no registered model can have such a name; None where one can."""
    try:
        _NAME.validate_python(samples(pattern)[0])
    except ValidationError as error:
        why = str(error.errors()[0]["msg"]).removeprefix("Value error, ")
        return f"no registered model can match {pattern!r}: it {why}"
    return None


def samples(pattern: str) -> list[str]:
    """Return unlikely names that a glob matches; a name without wildcards is its own sample."""
    plain = _SET.sub(lambda found: "_" if found[1] else found[2][0], pattern).replace("?", "q")
    return list(dict.fromkeys(plain.replace("*", filler) for filler in ("q7zx", "", "w5")))
