"""JSON without the surprises of Python's parser: one meaning, bounded depth, nothing that breaks later."""

import json
import math
from typing import Any, NoReturn

from webhooks.errors import NotJson

MAX_DEPTH = 64
MAX_DIGITS = 18  # what every database and every other JSON library holds exactly: 64 bits


def parse(raw: bytes) -> Any:
    """The value of a UTF-8 text. Raises NotJson.

    Also refused: a byte order mark, NaN, Infinity and 1e999, keys that stand twice, more than MAX_DEPTH levels,
    whole numbers beyond MAX_DIGITS digits, lone surrogates and NUL characters.
    """
    if raw.startswith(b"\xef\xbb\xbf"):
        raise NotJson("the body starts with a byte order mark; send plain UTF-8")
    try:
        value = _decoder.decode(raw.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise NotJson(f"the body is not UTF-8 (at byte {error.start})") from None
    except json.JSONDecodeError as error:
        raise NotJson(f"the body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise _too_deep() from None
    # As they stand, Python's parser refuses what texts may not hold; and with so few brackets nothing is deep.
    if b"\\u" in raw or raw.count(b"{") + raw.count(b"[") > MAX_DEPTH:
        _check(value, depth=0)
    return value


def _check(value: object, *, depth: int) -> None:
    if isinstance(value, str):
        _check_text(value)
    elif isinstance(value, dict | list) and depth == MAX_DEPTH:
        raise _too_deep()
    elif isinstance(value, dict):
        for key, item in value.items():
            _check_text(key)
            _check(item, depth=depth + 1)
    elif isinstance(value, list):
        for item in value:
            _check(item, depth=depth + 1)


def _check_text(text: str) -> None:
    """Both pass Python's parser as escapes: PostgreSQL refuses NUL, and no encoder takes a lone surrogate."""
    if "\0" in text or (not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text)):
        raise NotJson("a text in the body holds a NUL or half a surrogate pair; send whole characters")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise NotJson("a key stands twice in one object; which one is meant?")
    return found


def _integer(digits: str) -> int:
    if len(digits.lstrip("-")) > MAX_DIGITS:
        raise NotJson(f"a whole number has more than {MAX_DIGITS} digits; send it as a text")
    return int(digits)


def _float(digits: str) -> float:
    if not math.isfinite(value := float(digits)):
        raise NotJson("a number is larger than a double can hold")
    return value


def _constant(name: str) -> NoReturn:
    raise NotJson(f"{name} is not JSON; leave the field out, or send null")


def _too_deep() -> NotJson:
    return NotJson(f"the body nests more than {MAX_DEPTH} levels deep")


_decoder = json.JSONDecoder(object_pairs_hook=_unique, parse_int=_integer, parse_float=_float, parse_constant=_constant)
