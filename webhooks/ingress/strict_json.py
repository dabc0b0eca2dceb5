"""Parses JSON strictly: one meaning, bounded depth, and no value that the database or an encoder refuses later."""

import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

from webhooks.ingress.errors import NotJson

MAX_DEPTH = 64
LARGEST = 2**63 - 1  # as the databases' integers
MAX_DIGITS = 19
# Digits of an integer in other products' payloads, as in a double's range: some send 128 bits, which we don't use.
THEIR_DIGITS = 308
_BYTE_ORDER_MARK = "\ufeff".encode()  # https://www.rfc-editor.org/rfc/rfc8259#section-8.1
_HALF_PAIR = re.compile("[\ud800-\udfff]")
_NUL_OR_HALF_PAIR = re.compile("[\0\ud800-\udfff]")


@dataclass(frozen=True)
class _Dialect:
    """text, key: clean a text or a key, or raise NotJson. Python's parser lets escaped NULs and half surrogate pairs
    pass; PostgreSQL refuses NUL, and no encoder takes half a pair.
    """

    decoder: json.JSONDecoder
    text: Callable[[str], str]
    key: Callable[[str], str]


def parse(raw: bytes) -> Any:
    """Parse a UTF-8 text. Raises NotJson.

    Also refused: a byte order mark, NaN, Infinity and 1e999, repeated keys, more than MAX_DEPTH levels, whole numbers
    of more than 64 bits, and NUL characters. Half a surrogate pair in a value, the rest of an emoji that was cut,
    becomes \ufffd.
    """
    if raw.startswith(_BYTE_ORDER_MARK):
        raise NotJson("the body starts with a byte order mark; send plain UTF-8")
    return _parse(raw, _OURS)


def parse_theirs(raw: bytes) -> Any:
    """Parse another product's JSON, which its sender can't change: more lenient than `parse`. Raises NotJson.

    A byte order mark is skipped; NUL and half a surrogate pair become \ufffd, also in keys; whole numbers may be large;
    a key may be repeated with the same value.
    """
    return _parse(raw.removeprefix(_BYTE_ORDER_MARK), _THEIRS)


def _parse(raw: bytes, dialect: _Dialect) -> Any:
    try:
        value = dialect.decoder.decode(raw.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise NotJson(f"the body is not UTF-8 (at byte {error.start})") from None
    except json.JSONDecodeError as error:
        raise NotJson(f"the body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise _too_deep() from None
    # Else nothing is to clean: Python's parser refuses raw control characters, and few brackets can't nest deeply.
    if b"\\u" in raw or raw.count(b"{") + raw.count(b"[") > MAX_DEPTH:
        return _clean(value, dialect, depth=0)
    return value


def _clean(value: Any, dialect: _Dialect, *, depth: int) -> Any:
    """Return the value with its texts and keys cleaned. Raises NotJson."""
    if isinstance(value, dict | list) and depth == MAX_DEPTH:
        raise _too_deep()
    if isinstance(value, str):
        return dialect.text(value)
    if isinstance(value, dict):
        return _unique([(dialect.key(key), _clean(item, dialect, depth=depth + 1)) for key, item in value.items()])
    return [_clean(item, dialect, depth=depth + 1) for item in value] if isinstance(value, list) else value


def _text(value: str) -> str:
    return _HALF_PAIR.sub("\ufffd", _without_nul(value))


def _key(key: str) -> str:
    if _HALF_PAIR.search(key):
        raise NotJson("a key in the body has half a surrogate pair; send whole characters")
    return _without_nul(key)


def _without_nul(text: str) -> str:
    if "\0" in text:
        raise NotJson("a text in the body has a NUL character; remove it")
    return text


def _replaced(text: str) -> str:
    return _NUL_OR_HALF_PAIR.sub("\ufffd", text)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise NotJson("an object has a key twice; send each key once")
    return value


def _same_if_repeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    last = dict(pairs)
    if len(last) != len(pairs) and any(repr(last[key]) != repr(value) for key, value in pairs):
        return _unique(pairs)
    return last


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


_OURS = _Dialect(
    json.JSONDecoder(object_pairs_hook=_unique, parse_int=_integer, parse_float=_float, parse_constant=_constant),
    _text,
    _key,
)
_THEIRS = _Dialect(
    json.JSONDecoder(
        object_pairs_hook=_same_if_repeated, parse_int=_their_integer, parse_float=_float, parse_constant=_constant
    ),
    _replaced,
    _replaced,
)
