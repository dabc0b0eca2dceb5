"""Clean texts of people and other systems before they are stored, and escape them when they are shown.

Stored texts differ from their originals only in line breaks, control characters and length. Where a text is shown, it
can't begin a line of a log or a table, set a colour, or change the direction of writing.
"""

import json
import re
import unicodedata

# Characters of a text that are stored.
MOST = 2000
CUT = "… (cut)"
_BREAKS = re.compile("\r\n|[\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")  # all that str.splitlines() breaks at, but \n
_CONTROLS = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\ud800-\udfff]")  # half a surrogate pair: a cut emoji
# Characters that JSON does not escape and no terminal should get: C1 controls, changes of direction, zero width.
_MOVING = re.compile(
    "[\x7f-\x9f\xad\u061c\u200b\u200c\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\U000e0000-\U000e007f]"
)
_JOINER = "\u200d"  # between the parts of an emoji, and within words of some scripts


def kept(text: str, *, most: int = MOST) -> str:
    """Normalize line breaks to \\n, replace other control characters, and cut to `most` characters."""
    clean = _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", _BREAKS.sub("\n", text)).strip()
    return clean if len(clean) <= most else clean[: most - len(CUT)] + CUT


def absent(value: object) -> bool:
    """Return whether a field is empty: null, or a blank text."""
    return value is None or (isinstance(value, str) and not value.strip())


def shown(text: str, *, lines: bool = False) -> str:
    """Replace characters that are invisible or move others by escapes such as \\u202e. lines: keep line breaks."""
    if text.isprintable():
        return text
    before = [" ", *text[:-1]]
    return "".join(_shown(char, after, lines=lines) for after, char in zip(before, text, strict=True))


def printable(text: str) -> str:
    """Return the first 100 characters of what somebody asked for, with a ? for each that can't be printed."""
    return "".join(char if char.isprintable() else "?" for char in text[:100])


def escaped(text: str) -> str:
    """Return JSON in which the characters that `shown` escapes are \\u escapes."""
    return _MOVING.sub(lambda found: json.dumps(found[0])[1:-1], text)


def unseen(text: str) -> str | None:
    """Return the first invisible character, such as U+202E; None: there is none. Blanks are visible."""
    char = next((char for char in text if not char.isprintable() and unicodedata.category(char) != "Zs"), None)
    return f"U+{ord(char):04X}" if char else None


def is_visible(text: str) -> bool:
    """Return whether a text is one line without invisible characters, as the names in events are."""
    return unseen(text) is None


def _shown(char: str, after: str, *, lines: bool) -> str:
    if char.isprintable() or (lines and char == "\n") or (char == _JOINER and not after.isascii()):
        return char
    return " " if unicodedata.category(char) == "Zs" else char.encode("unicode_escape").decode("ascii")
