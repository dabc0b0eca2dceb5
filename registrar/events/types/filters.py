"""Check filters and orders in MLflow's language for searching runs: https://mlflow.org/docs/latest/search-runs

MLflow answers a filter that it can't parse by 400. A filter that it parses and that its database can't run is a 5xx at
each attempt, as if MLflow were down. Both are refused on acceptance, with a message that shows a valid filter.
"""

import math
import re
from typing import Annotated, NamedTuple

from pydantic import AfterValidator, Field

from registrar.events.types.terms import Exact

# Each comparison adds a table or more to one join, and SQLite allows 64: with 70 comparisons MLflow always answers 503.
MOST_CLAUSES = 20
MOST_DATASETS = 5  # comparisons of datasets among these; three tables each
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
_ITEM = r"""(?:'[^'\\]*'|"[^"\\]*")"""  # MLflow parses a list as Python does: no backslash escapes are accepted
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
    """Return the filter if MLflow can parse and run it. Raises ValueError, which shows a valid one."""
    position, clauses, datasets = 0, 0, 0
    while text[position:].strip() or (text and not clauses):
        if clauses:
            if (conjunction := _AND.match(text, position)) is None:
                raise ValueError(
                    f"{_unreadable(text, position)}: comparisons are joined by 'and' alone, without parentheses"
                )
            position = conjunction.end()
        if (clause := _CLAUSE.match(text, position)) is None:
            raise ValueError(f"{_unreadable(text, position)}: a comparison is like {_EXAMPLE}")
        datasets += _check_clause(clause).kind == "dataset"
        position, clauses = clause.end(), clauses + 1
    if clauses > MOST_CLAUSES:
        raise ValueError(f"has {clauses} comparisons, and {MOST_CLAUSES} at most are taken: MLflow can't do many more")
    if datasets > MOST_DATASETS:
        raise ValueError(f"compares datasets {datasets} times, and {MOST_DATASETS} times at most are taken")
    return text


def checked_order(texts: list[str]) -> list[str]:
    """Return the orders if MLflow can parse and run them. Raises ValueError."""
    seen: set[_Column] = set()
    for text in texts:
        if (match := _ORDER.fullmatch(text)) is None:
            raise ValueError(f"{text[:60]!r} is not understood: an order is like 'metrics.rmse ASC'")
        column = _column(match)
        if column.kind == "dataset":
            raise ValueError(f"{text[:60]!r}: MLflow does not order by datasets, but by metrics, params and tags")
        if column in seen:
            raise ValueError(f"{text[:60]!r} orders by {column} a second time: MLflow takes each once")
        seen.add(column)
    return texts


Filter = Annotated[Exact, AfterValidator(checked_filter)]
OrderBy = Annotated[list[Exact], Field(max_length=MOST_ORDERS), AfterValidator(checked_order)]


def _check_clause(clause: re.Match[str]) -> _Column:
    """Check a comparison and return its column. Raises ValueError."""
    column, op = _column(clause), " ".join((clause["op"] or clause["null"]).upper().split())
    operators, value = _operators(column)
    if op not in operators:
        raise ValueError(f"{op} does not go with the {column}: {', '.join(operators)} do")
    needed = "list" if op in _AMONG else value
    if op not in _NULL and clause[needed] is None:
        example = {"number": "a number", "string": "a text in quotes", "list": "('a', 'b')"}[needed]
        raise ValueError(f"the {column} is compared by {op} with {example}, not with {_clause_value(clause)}")
    if needed == "number":
        _check_number(column, clause["number"])
    elif op in _LIKE:
        _check_pattern(clause["string"][1:-1])
    return column


def _operators(column: _Column) -> tuple[tuple[str, ...], str]:
    """Return the operators of a column, and the group of _CLAUSE that matches its values."""
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


def _column(match: re.Match[str]) -> _Column:
    """Return the column of a comparison or an order. Raises ValueError if runs have no such column."""
    prefix, key = match["kind"] or "attributes", match["key"].strip('`"')
    if (kind := _KIND_OF.get(prefix)) is None:
        known = ", ".join(names[-1] if kind != "attribute" else "attributes" for kind, names in _KINDS.items())
        raise ValueError(f"{prefix[:60]!r} is nothing that a run has: it has {known}")
    if kind == "attribute" and key not in (*_TIMES, *_TEXTS):
        meant = "" if match["kind"] else f"; did you mean metrics.{match['key'][:60]}, or params.{match['key'][:60]}?"
        known = ", ".join((*_TIMES, *_TEXTS[:5]))
        raise ValueError(f"{key[:60]!r} is no attribute of a run{meant or f'; they are {known}'}")
    if kind == "dataset" and key not in _DATASET:
        raise ValueError(f"a dataset has no {key[:60]!r}, but {', '.join(_DATASET)}")
    return _Column(kind, _TIMES.get(key, key) if kind == "attribute" else key)


def _check_number(column: _Column, number: str) -> None:
    whole = number.lstrip("-").isdigit()
    if column.kind == "attribute" and whole and len(number) < 400 and abs(int(number)) > _LARGEST:
        raise ValueError(f"{number[:30]} is too large: a time is milliseconds since 1970, such as 1764547200000")
    if not math.isfinite(float(number)):
        raise ValueError(f"{number[:30]} is larger than any number that MLflow's database has")


def _check_pattern(pattern: str) -> None:
    if (len(pattern) - len(pattern.rstrip("\\"))) % 2:
        raise ValueError(f"the pattern {pattern[-30:]!r} ends with a backslash, which PostgreSQL refuses: write two")


def _clause_value(clause: re.Match[str]) -> str:
    return (clause["number"] or clause["string"] or clause["list"])[:60]


def _unreadable(text: str, position: int) -> str:
    return f"{text[position:].strip()[:60]!r} is not understood"
