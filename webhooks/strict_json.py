"""JSON without the surprises of Python's parser: one meaning, bounded depth, nothing that breaks later."""

import json
import math
import re
from typing import Any, NoReturn

from webhooks.errors import NotJson

MAX_DEPTH = 64
LARGEST = 2**63 - 1  # what every database holds: 64 bits, as a time in nanoseconds takes
MAX_DIGITS = 19
_HALF = re.compile("[\ud800-\udfff]")


def parse(raw: bytes) -> Any:
    """The value of a UTF-8 text. Raises NotJson.

    Also refused: a byte order mark, NaN, Infinity and 1e999, keys that stand twice, more than MAX_DEPTH levels,
    whole numbers of more than 64 bits, and NUL characters. Half a surrogate pair in a value is what is left of an emoji
    that was cut, and becomes \ufffd.
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
        return _whole(value, depth=0)
    return value


def _whole(value: Any, *, depth: int) -> Any:
    """The same of whole characters. Both pass Python's parser as escapes: PostgreSQL refuses NUL, no encoder takes a
    half. Raises NotJson.
    """
    if isinstance(value, dict | list) and depth == MAX_DEPTH:
        raise _too_deep()
    if isinstance(value, str):
        return _HALF.sub("\ufffd", _without_nul(value))
    if isinstance(value, dict):
        return {_key(key): _whole(item, depth=depth + 1) for key, item in value.items()}
    return [_whole(item, depth=depth + 1) for item in value] if isinstance(value, list) else value


def _key(key: str) -> str:
    if _HALF.search(key):
        raise NotJson("a key in the body holds half a surrogate pair; send whole characters")
    return _without_nul(key)


def _without_nul(text: str) -> str:
    if "\0" in text:
        raise NotJson("a text in the body holds a NUL; send whole characters")
    return text


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise NotJson("a key stands twice in one object; which one is meant?")
    return found


def _integer(digits: str) -> int:
    if len(digits.lstrip("-")) > MAX_DIGITS or abs(int(digits)) > LARGEST:
        raise NotJson("a whole number has more than 64 bits; send it as a text")
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
