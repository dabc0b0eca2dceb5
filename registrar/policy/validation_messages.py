"""Turns pydantic's errors into sentences: what is wrong, what would be right, and the nearest known word.

A value is shown only where one of a few words is expected: anywhere else it may be a secret in the wrong place.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from registrar.policy import key_index
from registrar.policy.errors import Complaint, Place
from registrar.text.validation import describe_limit, expected_words, none_of, own_message
from registrar.text.wording import did_you_mean, nearest

_ALIKE = 0.8  # similarity at which a key is taken for a slip, not for a key that belongs elsewhere
# By key: what to write where it is missing or has another type.
EXAMPLES = {
    "version": "version: 1",
    "may": 'may: [{events: [training_run.*], models: ["*"]}]',
    "notify": 'notify: [{outcomes: ["*"], to: [NAME]}]',
    "targets": "targets: [{stage: Staging, approval: automatic}]",
    "gates": 'gates: [{metric: rmse, op: "<", threshold: 7}]',
    "kind": "kind: standard",
    "secrets": 'secrets: ["env:NAME"]',
    "client_secret": 'client_secret: "env:NAME"',
    "events": "events: [training_run.*]",
    "models": 'models: ["*"]',
    "outcomes": 'outcomes: ["promotion.*"]',
    "to": "to: [NAME]",
    "name": "name: Ada",
    "accounts": "accounts: {slack: T0123/U0456}",
    "stage": "stage: Production",
    "approval": "approval: automatic, or approval: {rules: [{group: NAME}]}",
    "rules": "rules: [{group: NAME}]",
    "group": "group: NAME",
    "exclude": "exclude: [requester]",
    "from": "from: [Staging]",
    "metric": "metric: rmse",
    "op": 'op: "<"',
    "threshold": "threshold: 7",
    "baseline": 'baseline: "@champion"',
    "greater_is_better": "greater_is_better: false",
    "tags": "tags: [dataset]",
    "freeze": 'freeze: "0 15 * * FRI"',
    "duration": "duration: 65h",
    "after": "after: 2d",
    "until": "until: 2026-12-24",
    "keep_last": "keep_last: 10",
    "older_than": "older_than: 90d",
    "networks": "networks: [10.0.0.5/32]",
    "issuer": "issuer: https://login.example.com",
    "client_id": "client_id: registrar",
}
_WORD = re.compile(r"[\w<>=!.+ -]{1,24}")  # a value that may be shown
Elsewhere = Callable[[Place], str | None]


def complaints(
    root: type[BaseModel],
    error: ValidationError,
    content: Any,
    *,
    examples: Mapping[str, str] = EXAMPLES,
    elsewhere: Elsewhere = lambda place: None,
) -> Iterator[Complaint]:
    """Yield a place and a sentence for each error.

    content: the validated document. examples: a sample of each key. elsewhere: explains keys that belong elsewhere.
    """
    details = error.errors()
    missing = {tuple(d["loc"]) for d in details if d["type"] == "missing"}
    slips = {(*d["loc"][:-1], near) for d in details if (near := _misspelt_key(root, d))}
    for detail in details:
        loc = tuple(detail["loc"])
        if detail["type"] == "missing" and loc in slips:
            continue  # present, but misspelt
        place = _place_in_file(loc, content)
        lacks = any(other[:-1] == loc[:-1] for other in missing - slips)
        yield place, _Messages(root, examples, elsewhere, lacks).describe(detail, place)


def _place_in_file(loc: Place, content: Any) -> Place:
    """Return the place without the branches of unions, which the file does not contain."""
    place: Place = ()
    for part in loc:
        exists = part in content if isinstance(content, dict) else isinstance(content, list) and isinstance(part, int)
        if exists:
            place, content = (*place, part), content[part]
    return place


def _misspelt_key(root: type[BaseModel], detail: Any) -> str | None:
    """Return the known key that is nearest to an unknown one, if any is near."""
    if detail["type"] != "extra_forbidden":
        return None
    return nearest(str(detail["loc"][-1]), key_index.known(root, detail["loc"][:-1]))


@dataclass(frozen=True)
class _Messages:
    """Writes sentences about a mapping. lacks: whether a required key is missing from it."""

    root: type[BaseModel]
    examples: Mapping[str, str]
    elsewhere: Elsewhere
    lacks: bool

    def describe(self, detail: Any, place: Place) -> str:
        type_, loc, value, context = detail["type"], tuple(detail["loc"]), detail["input"], detail.get("ctx", {})
        match type_:
            case "extra_forbidden":
                message = self._describe_unknown_key(loc, place)
            case "missing":
                message = f"{loc[-1]} is missing" + self._example(str(loc[-1]))
            case "union_tag_not_found":
                message = f"{str(context['discriminator']).strip(chr(39))} is missing"
            case "literal_error" | "union_tag_invalid":
                message = _describe_unknown_word(context, value)
            case "model_type" | "dict_type" | "model_attributes_type":
                message = self._describe_no_mapping(loc, value, place)
            case _ if type_ in _EXPECTED:
                message = self._describe_wrong_type(type_, value, place) + _unit_of(self.root, loc)
            case _:
                message = describe_limit(type_, context) or own_message(detail)
        return message

    def _describe_unknown_key(self, loc: Place, place: Place) -> str:
        key, here = str(loc[-1]), key_index.known(self.root, loc[:-1])
        if near := nearest(key, here, like=_ALIKE):
            return f"unknown key; did you mean {near}?"
        if elsewhere := self.elsewhere(place):
            return f"unknown key here; {elsewhere}"
        below = [home for model in key_index.models(self.root, loc[:-1]) for home in key_index.homes(model, key)]
        if homes := (below or ([] if self.lacks else self._other_homes(key, place[:-1])))[:3]:
            return f"unknown key here; it goes {'below this, ' if below and loc[1:] else ''}under {' or '.join(homes)}"
        if len(here) == 1 and not nearest(key, here):
            return f"unknown key; known: {here[0]}"  # it may stand there already
        return f"unknown key{did_you_mean(key, here)}"

    def _other_homes(self, key: str, here: Place) -> list[str]:
        """Return where a key stands elsewhere: another branch of a union may have it at the same place."""
        return [home for home in key_index.homes(self.root, key) if not _is_at(home, here)]

    def _describe_no_mapping(self, loc: Place, value: Any, place: Place) -> str:
        known = key_index.known(self.root, loc)
        example = self._example(_innermost_key(place))
        if not example or ": [" in example:  # `models` is a list elsewhere
            example = ", such as NAME: ..."
        keys = f": {', '.join(known)}" if known else example
        return f"{_describe_kind(value)}, and keys belong below it{keys}"

    def _describe_wrong_type(self, type_: str, value: Any, place: Place) -> str:
        message = f"{_describe_kind(value)}, and {_EXPECTED[type_]} belongs here"
        if type_ == "list_type":
            return message + (self._example(_innermost_key(place)) or ", such as [NAME]")
        scalar = value is not None and not isinstance(value, list | dict)
        return message + ("; put it in quotes" if type_ == "string_type" and scalar else "")

    def _example(self, key: str) -> str:
        return f", such as {self.examples[key]}" if key in self.examples else ""


def _is_at(home: str, place: Place) -> bool:
    """Return whether a place is a home such as models.NAME.targets[]."""
    parts = home.replace("[]", ".[]").split(".")
    here = ["[]" if isinstance(part, int) else part for part in place]
    return len(parts) == len(here) and all(part in ("NAME", at) for part, at in zip(parts, here, strict=True))


def _innermost_key(place: Place) -> str:
    """Return the innermost key of a place, which may end with an index."""
    return next((str(part) for part in reversed(place) if isinstance(part, str)), "")


def _unit_of(root: type[BaseModel], loc: Place) -> str:
    """Return the unit of a number, from its field's description."""
    fields = (key_index.keys(model).get(str(loc[-1])) for model in key_index.models(root, loc[:-1]))
    unit = next((field.description for field in fields if field and field.annotation in (int, float)), None)
    return f": {unit}" if unit else ""


def _describe_unknown_word(context: Any, value: Any) -> str:
    words = expected_words(str(context.get("expected") or context.get("expected_tags")))
    word = str(context.get("tag", value))
    is_word = isinstance(value, str) or "tag" in context
    if len(words) == 1:
        return f"only {words[0]} can stand here"
    shown = f"{_describe_kind(value)}, and is" if not is_word else f"{word!r} is" if _WORD.fullmatch(word) else "is"
    return f"{shown} {none_of(words, word)}"


_EXPECTED = {  # by pydantic's type of error
    "string_type": "a text",
    "list_type": "a list",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "date_type": "a day such as 2026-12-24",
    "date_parsing": "a day such as 2026-12-24",
    "date_from_datetime_parsing": "a day such as 2026-12-24",
    "date_from_datetime_inexact": "a day such as 2026-12-24",
}


def _describe_kind(value: Any) -> str:
    """Return the kind of a value without the value itself, which may be a secret."""
    if isinstance(value, bool):
        return f"is {str(value).lower()}"
    kinds = {int: "a number", float: "a number", str: "a text", list: "a list", dict: "a mapping"}
    return "is empty" if value is None else f"is {kinds.get(type(value), 'a ' + type(value).__name__)}"
