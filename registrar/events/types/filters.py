"""MLflow's language for searching runs, as far as it must be known at the door:
https://mlflow.org/docs/latest/search-runs

A filter that MLflow can't read is its 400, told at once. What it can read and its database can't do is a 5xx each time
it is tried, though nothing is down: that must not be accepted. So both are refused here, with what would be right.
"""

import math
import re
from typing import Annotated, NamedTuple

from pydantic import AfterValidator, Field

from registrar.events.types.terms import Exact

# Each is a table or more in one join of MLflow's, whose SQLite takes 64 in all: 70 comparisons are a 503, for ever.
MOST_CLAUSES = 20
MOST_DATASETS = 5  # of these: three tables each
MOST_ORDERS = 10
# A time of MLflow's is a BIGINT: a longer number is an OverflowError, HTTP 500.
_LARGEST = 2**63 - 1
_KINDS = {
    "metric": ("metric", "metrics"),
    "param": ("param", "params", "parameter", "parameters"),
    "tag": ("tag", "tags"),
    "attribute": ("attribute", "attributes", "attr", "run"),
    "dataset": ("dataset", "datasets"),
}
_KIND_OF = {name: kind for kind, names in _KINDS.items() for name in names}
_TIMES = {"start_time": "start_time", "end_time": "end_time", "created": "start_time", "Created": "start_time"}
_NAMES = ("run_name", "run name", "Run name", "Run Name")
_TEXTS = ("artifact_uri", "run_id", "status", "user_id", *_NAMES)
_DATASET = ("name", "digest", "context")
_ORDERED, _LIKE, _NULL = ("<", "<=", ">", ">="), ("LIKE", "ILIKE"), ("IS NULL", "IS NOT NULL")
_SAME, _AMONG = ("=", "!="), ("IN", "NOT IN")

_WORD = r"[^\W\d]\w*"
_NAME = r"""(?:`[^`]+`|"[^"]+"|\w+(?:\.\w+)*)"""
_STRING = r"""(?:'(?:''|\\'|[^'])*'|"(?:\"\"|\\"|[^"])*")"""
_ITEM = r"""(?:'[^'\\]*'|"[^"\\]*")"""  # MLflow reads a list as Python's: a backslash there could be anything
_NUMBER = r"-?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE]-?\d+)?"
_CLAUSE = re.compile(
    rf"""\s*(?:(?P<kind>{_WORD})\.)?(?P<key>{_NAME})\s*
    (?:(?P<null>IS\s+(?:NOT\s+)?NULL)\b
      |(?P<op><=|>=|!=|=|<|>|I?LIKE\b|(?:NOT\s+)?IN\b)\s*
       (?:(?P<number>{_NUMBER})(?![\w.])|(?P<string>{_STRING})|(?P<list>\(\s*{_ITEM}(?:\s*,\s*{_ITEM})*\s*,?\s*\)))
    )""",
    re.VERBOSE | re.IGNORECASE,
)
_AND = re.compile(r"\s*AND\b", re.IGNORECASE)
_ORDER = re.compile(rf"""(?:(?P<kind>{_WORD})\.)?(?P<key>{_NAME})(?:\s+(?:ASC|DESC))?\s*""", re.IGNORECASE)
_EXAMPLE = "metrics.rmse < 7 and params.`max depth` = '5'"


class _Column(NamedTuple):
    kind: str
    key: str

    def __str__(self) -> str:
        return f"{self.kind} {self.key!r}"


def checked_filter(text: str) -> str:
    """The filter, if MLflow can read it and do it. Raises ValueError with what is wrong, and what would be right."""
    place, clauses, datasets = 0, 0, 0
    while text[place:].strip() or (text and not clauses):
        if clauses:
            if (joined := _AND.match(text, place)) is None:
                raise ValueError(f"{_near(text, place)}: comparisons are joined by 'and' alone, without parentheses")
            place = joined.end()
        if (found := _CLAUSE.match(text, place)) is None:
            raise ValueError(f"{_near(text, place)}: a comparison is like {_EXAMPLE}")
        datasets += _checked(found).kind == "dataset"
        place, clauses = found.end(), clauses + 1
    if clauses > MOST_CLAUSES:
        raise ValueError(f"has {clauses} comparisons, and {MOST_CLAUSES} at most are taken: MLflow can't do many more")
    if datasets > MOST_DATASETS:
        raise ValueError(f"compares datasets {datasets} times, and {MOST_DATASETS} times at most are taken")
    return text


def checked_order(texts: list[str]) -> list[str]:
    """The same of what runs are ordered by. Raises ValueError."""
    seen: set[_Column] = set()
    for text in texts:
        if (found := _ORDER.fullmatch(text)) is None:
            raise ValueError(f"{text[:60]!r} is not understood: an order is like 'metrics.rmse ASC'")
        column = _column(found)
        if column.kind == "dataset":
            raise ValueError(f"{text[:60]!r}: MLflow does not order by datasets, but by metrics, params and tags")
        if column in seen:
            raise ValueError(f"{text[:60]!r} orders by {column} a second time: MLflow takes each once")
        seen.add(column)
    return texts


Filter = Annotated[Exact, AfterValidator(checked_filter)]
OrderBy = Annotated[list[Exact], Field(max_length=MOST_ORDERS), AfterValidator(checked_order)]


def _checked(clause: re.Match[str]) -> _Column:
    """What one comparison is about. Raises ValueError."""
    column, op = _column(clause), " ".join((clause["op"] or clause["null"]).upper().split())
    operators, value = _takes(column)
    if op not in operators:
        raise ValueError(f"{op} does not go with the {column}: {', '.join(operators)} do")
    needed = "list" if op in _AMONG else value
    if op not in _NULL and clause[needed] is None:
        right = {"number": "a number", "string": "a text in quotes", "list": "('a', 'b')"}[needed]
        raise ValueError(f"the {column} is compared by {op} with {right}, not with {_clause_value(clause)}")
    if needed == "number":
        _check_number(column, clause["number"])
    elif op in _LIKE:
        _check_pattern(clause["string"][1:-1])
    return column


def _takes(column: _Column) -> tuple[tuple[str, ...], str]:
    """The operators that go with a column, and what it is compared with."""
    match column:
        case ("metric", _):
            return (*_SAME, *_ORDERED), "number"
        case ("attribute", key) if key in _TIMES.values():
            return (*_SAME, *_ORDERED), "number"
        case ("attribute", "run_id") | ("dataset", _):
            return (*_SAME, *_LIKE, *_AMONG), "string"
        case ("attribute", _):
            return (*_SAME, *_LIKE), "string"
    return (*_SAME, *_LIKE, *_NULL), "string"


def _column(found: re.Match[str]) -> _Column:
    """Raises ValueError for what runs don't have."""
    said, key = found["kind"] or "attributes", found["key"].strip('`"')
    if (kind := _KIND_OF.get(said)) is None:
        known = ", ".join(names[-1] if kind != "attribute" else "attributes" for kind, names in _KINDS.items())
        raise ValueError(f"{said[:60]!r} is nothing that a run has: it has {known}")
    if kind == "attribute" and key not in (*_TIMES, *_TEXTS):
        raise ValueError(f"{key[:60]!r} is no attribute of a run; they are {', '.join((*_TIMES, *_TEXTS[:5]))}")
    if kind == "dataset" and key not in _DATASET:
        raise ValueError(f"a dataset has no {key[:60]!r}, but {', '.join(_DATASET)}")
    return _Column(kind, _TIMES.get(key, key) if kind == "attribute" else key)


def _check_number(column: _Column, said: str) -> None:
    whole = said.lstrip("-").isdigit()
    if column.kind == "attribute" and whole and len(said) < 400 and abs(int(said)) > _LARGEST:
        raise ValueError(f"{said[:30]} is too large: a time is milliseconds since 1970, such as 1764547200000")
    if not math.isfinite(float(said)):
        raise ValueError(f"{said[:30]} is larger than any number that MLflow's database has")


def _check_pattern(pattern: str) -> None:
    if (len(pattern) - len(pattern.rstrip("\\"))) % 2:
        raise ValueError(f"the pattern {pattern[-30:]!r} ends with a backslash, which PostgreSQL refuses: write two")


def _clause_value(clause: re.Match[str]) -> str:
    return (clause["number"] or clause["string"] or clause["list"])[:60]


def _near(text: str, place: int) -> str:
    return f"{text[place:].strip()[:60]!r} is not understood"
