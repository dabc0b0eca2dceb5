"""Parses JSON strictly: one meaning, bounded depth, and no value that the database or an encoder refuses later."""

import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

from webhooks.ingress.errors import NotJson

MAX_DEPTH = 64
LARGEST = 2**63 - 1  # 64 bits, as every database's integers
MAX_DIGITS = 19
# Digits of an integer in other products' payloads: as a double's range. Some send 128 bits, which we don't use.
THEIR_DIGITS = 308
_MARK = "\ufeff".encode()  # https://www.rfc-editor.org/rfc/rfc8259#section-8.1
_HALF = re.compile("[\ud800-\udfff]")
_BROKEN = re.compile("[\0\ud800-\udfff]")


@dataclass(frozen=True)
class _Reading:
    """text, key: make either one of whole characters, or raise NotJson. Both NUL and halves pass Python's parser as
    escapes: PostgreSQL refuses NUL, no encoder takes a half.
    """

    decoder: json.JSONDecoder
    text: Callable[[str], str]
    key: Callable[[str], str]


def parse(raw: bytes) -> Any:
    """Parse a UTF-8 text. Raises NotJson.

    Also refused: a byte order mark, NaN, Infinity and 1e999, keys that stand twice, more than MAX_DEPTH levels,
    whole numbers of more than 64 bits, and NUL characters. Half a surrogate pair in a value is what is left of an emoji
    that was cut, and becomes \ufffd.
    """
    if raw.startswith(_MARK):
        raise NotJson("the body starts with a byte order mark; send plain UTF-8")
    return _parsed(raw, _OURS)


def parse_theirs(raw: bytes) -> Any:
    """Parse another product's JSON, which its sender can't change: more lenient than `parse`. Raises NotJson.

    A byte order mark is passed over, a NUL becomes \ufffd as a half does, in keys too, whole numbers may be large, and
    a key may stand twice that says the same twice.
    """
    return _parsed(raw.removeprefix(_MARK), _THEIRS)


def _parsed(raw: bytes, reading: _Reading) -> Any:
    try:
        value = reading.decoder.decode(raw.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise NotJson(f"the body is not UTF-8 (at byte {error.start})") from None
    except json.JSONDecodeError as error:
        raise NotJson(f"the body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise _too_deep() from None
    # Python's parser itself refuses raw control characters in texts; so few brackets can't nest deeply.
    if b"\\u" in raw or raw.count(b"{") + raw.count(b"[") > MAX_DEPTH:
        return _whole(value, reading, depth=0)
    return value


def _whole(value: Any, reading: _Reading, *, depth: int) -> Any:
    """The same of whole characters. Raises NotJson."""
    if isinstance(value, dict | list) and depth == MAX_DEPTH:
        raise _too_deep()
    if isinstance(value, str):
        return reading.text(value)
    if isinstance(value, dict):
        return _unique([(reading.key(key), _whole(item, reading, depth=depth + 1)) for key, item in value.items()])
    return [_whole(item, reading, depth=depth + 1) for item in value] if isinstance(value, list) else value


def _text(value: str) -> str:
    return _HALF.sub("\ufffd", _without_nul(value))


def _key(key: str) -> str:
    if _HALF.search(key):
        raise NotJson("a key in the body holds half a surrogate pair; send whole characters")
    return _without_nul(key)


def _without_nul(text: str) -> str:
    if "\0" in text:
        raise NotJson("a text in the body holds a NUL; send whole characters")
    return text


def _mended(text: str) -> str:
    return _BROKEN.sub("\ufffd", text)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise NotJson("a key stands twice in one object; which one is meant?")
    return found


def _of_one_meaning(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs) and any(repr(found[key]) != repr(value) for key, value in pairs):
        return _unique(pairs)
    return found


def _integer(digits: str) -> int:
    if len(digits.lstrip("-")) > MAX_DIGITS or abs(int(digits)) > LARGEST:
        raise NotJson("a whole number has more than 64 bits; send it as a text")
    return int(digits)


def _their_integer(digits: str) -> int:
    if len(digits.lstrip("-")) > THEIR_DIGITS:
        raise NotJson(f"a whole number has more than {THEIR_DIGITS} digits")
    return int(digits)


def _float(digits: str) -> float:
    if not math.isfinite(value := float(digits)):
        raise NotJson("a number is larger than a double can hold")
    return value


def _constant(name: str) -> NoReturn:
    raise NotJson(f"{name} is not JSON; leave the field out, or send null")


def _too_deep() -> NotJson:
    return NotJson(f"the body nests more than {MAX_DEPTH} levels deep")


_OURS = _Reading(
    json.JSONDecoder(object_pairs_hook=_unique, parse_int=_integer, parse_float=_float, parse_constant=_constant),
    _text,
    _key,
)
_THEIRS = _Reading(
    json.JSONDecoder(
        object_pairs_hook=_of_one_meaning, parse_int=_their_integer, parse_float=_float, parse_constant=_constant
    ),
    _mended,
    _mended,
)
