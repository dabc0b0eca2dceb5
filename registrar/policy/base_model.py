"""What every part of registrar.yml shares: unknown keys are errors, secrets are references, names match globs."""

import re
from fnmatch import fnmatchcase
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


class Strict(BaseModel):
    """A part of registrar.yml."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, regex_engine="python-re")


# ${NAME}, $NAME, ENV:NAME, env NAME, and with a blank in it
_VARIABLE = re.compile(r"(?:\$\{?|\$\{\{ *secrets\.|(?i:env)(?: *[: =] *))([A-Z][A-Z0-9_]*)(?: *\}{0,2})")


def _reference(value: str) -> str:
    kind, _, name = value.partition(":")
    if kind not in ("env", "file") or not name or name != name.strip():
        raise ValueError(f"a secret is named here, never written: {_suggest_secret_reference(value)}")
    return value


def _suggest_secret_reference(value: str) -> str:
    """What was meant, where it surely is no secret."""
    if variable := _VARIABLE.fullmatch(value.strip()):
        return f"did you mean env:{variable[1]}?"
    path = re.fullmatch(r"(?:file:?|FILE:)?/*(/(?:run|etc|var)/[\w./-]+)", value.strip())
    return f"did you mean file:{path[1]}?" if path else "env:NAME or file:/PATH"


SecretRef = Annotated[
    str,
    AfterValidator(_reference),
    Field(description="env:NAME or file:/PATH", json_schema_extra={"pattern": "^(env|file):.+$"}),
]
Glob = Annotated[str, Field(min_length=1, max_length=250, description="a name, or a glob such as churn-*")]


_WILD = re.compile(r"\*|\?|\[!?(?:\]|[^\]])[^\]]*\]")  # what fnmatch takes for something else than itself


def is_glob(pattern: str) -> bool:
    return bool(_WILD.search(pattern))


def matches(patterns: list[str], name: str) -> bool:
    """Whether a name is one of these, or matches one of the globs. Case counts."""
    return any(_matches_one(pattern, name) for pattern in patterns)


def most_specific(patterns: list[str], name: str) -> str | None:
    """The entry that says most of a name: the name itself, else the glob with the most literal characters.

    `*`, `?` and a set such as [a-z] are none, however long. Of equal ones that with the fewest `*`, then the last one
    in the order of the alphabet.
    """
    fitting = [pattern for pattern in patterns if _matches_one(pattern, name)]
    return max(fitting, key=lambda p: (p == name, len(_WILD.sub("", p)), -p.count("*"), p), default=None)


def _matches_one(pattern: str, name: str) -> bool:
    """A name with brackets in it, which read as a glob is another, fits itself."""
    return pattern == name or fnmatchcase(name, pattern)
