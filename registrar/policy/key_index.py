"""Where a key stands in the shape of a file: which keys a place knows, and where else a key would be right."""

import types
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, Tag
from pydantic.fields import FieldInfo

Place = Sequence[str | int]
_DEEPEST = 8


def keys(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """A mapping's fields, by the names that they have in the file."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


def known(root: type[BaseModel], place: Place) -> list[str]:
    """The keys that a mapping at this place takes; [] where it takes any, or is none. place: as pydantic's loc."""
    return list(dict.fromkeys(key for one in models(root, place) for key in keys(one)))


def models(root: type[BaseModel], place: Place) -> list[type[BaseModel]]:
    """What may stand at a place: one, or several where nothing says yet which it is."""
    candidates: list[Any] = [root]
    for part in place:
        candidates = (
            _chosen(candidates, part) or [inner for one in candidates for inner in _inside(one, part)] or candidates
        )
    return [bare for one in candidates for bare in _bare(one) if _is_model(bare)]


def homes(root: type[BaseModel], key: str) -> list[str]:
    """Where a key stands, as models.NAME.targets[]."""
    return list(dict.fromkeys(_homes(root, key, "", _DEEPEST)))


def _homes(one: Any, key: str, at: str, left: int) -> Iterator[str]:
    if left == 0:
        return
    for bare in _bare(one):
        if _is_model(bare):
            fields = keys(bare)
            if key in fields and at:
                yield at
            for name, field in fields.items():
                yield from _homes(field.annotation, key, f"{at}.{name}".removeprefix("."), left - 1)
        elif get_origin(bare) is list:
            yield from _homes(get_args(bare)[0], key, f"{at}[]", left - 1)
        elif get_origin(bare) is dict:
            yield from _homes(get_args(bare)[1], key, f"{at}.NAME", left - 1)


def _chosen(candidates: list[Any], part: str | int) -> list[Any]:
    """Of a union's branches the one that a tag names: pydantic's places have it where the file has nothing."""
    return [branch for one in candidates for branch in _branches(one) if part in _tags(branch)]


def _tags(branch: Any) -> set[Any]:
    """Of a Tag, or the one value of a field that tells branches apart (how: hmac)."""
    if get_origin(branch) is Annotated:
        return {each.tag for each in get_args(branch)[1:] if isinstance(each, Tag)}
    if not _is_model(branch):
        return set()
    values = [get_args(f.annotation) for f in branch.model_fields.values() if get_origin(f.annotation) is Literal]
    return {value[0] for value in values if len(value) == 1}


def _inside(one: Any, part: str | int) -> Iterator[Any]:
    for bare in _bare(one):
        if _is_model(bare):
            if (field := keys(bare).get(str(part))) is not None:
                yield field.annotation
        elif get_origin(bare) is list and isinstance(part, int):
            yield get_args(bare)[0]
        elif get_origin(bare) is dict and isinstance(part, str):
            yield get_args(bare)[1]


def _bare(one: Any) -> Iterator[Any]:
    """The types that an annotation may be, without what is said of them."""
    for branch in _branches(one):
        yield get_args(branch)[0] if get_origin(branch) is Annotated else branch


def _branches(one: Any) -> Iterator[Any]:
    if get_origin(one) is Annotated and get_origin(get_args(one)[0]) in (Union, types.UnionType):
        one = get_args(one)[0]
    if get_origin(one) in (Union, types.UnionType):
        for branch in get_args(one):
            yield from _branches(branch)
    else:
        yield one


def _is_model(bare: Any) -> bool:
    return isinstance(bare, type) and issubclass(bare, BaseModel)
