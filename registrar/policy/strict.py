"""What every part of registrar.yml shares: unknown keys are errors, secrets are references, names match globs."""

from fnmatch import fnmatchcase
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


class Strict(BaseModel):
    """A part of registrar.yml."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, regex_engine="python-re")


def _reference(value: str) -> str:
    kind, _, name = value.partition(":")
    if kind not in ("env", "file") or not name:
        raise ValueError("a secret is named here, never written: env:NAME or file:/PATH")
    return value


SecretRef = Annotated[
    str,
    AfterValidator(_reference),
    Field(description="env:NAME or file:/PATH", json_schema_extra={"pattern": "^(env|file):.+$"}),
]
Glob = Annotated[str, Field(min_length=1, max_length=250, description="a name, or a glob such as churn-*")]


def matches(patterns: list[str], name: str) -> bool:
    """Whether a name matches one of the globs. Case counts."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def most_specific(patterns: list[str], name: str) -> str | None:
    """The matching glob that says most: the exact name, else the one with the most literal characters."""
    fitting = [pattern for pattern in patterns if pattern == name or fnmatchcase(name, pattern)]
    return max(fitting, key=lambda p: (p == name, len(p) - p.count("*") - p.count("?"), p), default=None)
