"""Parts of sentences: counts with their nouns, suggestions for misspelt words."""

import difflib
from collections.abc import Iterable


def plural(count: int, one: str, many: str | None = None) -> str:
    """Return "1 event", "2 events", "1,200 events"; with "task is" and "tasks are": "1 task is", "2 tasks are"."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


_MOST = 15  # words that are listed where none of them is near
_LIKE = 0.55  # of difflib's ratio: 1 is equal


def nearest(word: str, known: Iterable[str], *, like: float = _LIKE) -> str | None:
    """Return the known word that a misspelt one is close to, in any case; None: there is none."""
    by_spelling, folded = {each.casefold(): each for each in known}, word.casefold()[:100]
    anagrams = [each for each in by_spelling if sorted(each) == sorted(folded)]  # =< for <=
    matches = anagrams or difflib.get_close_matches(folded, by_spelling, n=1, cutoff=like)
    return by_spelling[matches[0]] if matches else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return an ending for an error message: "; did you mean X?", else "; known: X, Y", else ""."""
    words = list(dict.fromkeys(known))
    if suggestion := nearest(word, words) or (words[0] if len(words) == 1 else None):
        return f"; did you mean {suggestion}?"
    if not words:
        return ""
    more = f" and {len(words) - _MOST} more" if len(words) > _MOST else ""
    return f"; known: {', '.join(words[:_MOST])}{more}"


def ranges(numbers: Iterable[int], *, most: int = 5) -> str:
    """Return the versions that there are: "it has versions 1 to 7", "it has versions 1, 3 to 5 and 9", "it has none".

    most: of many ranges, the last ones.
    """
    runs: list[list[int]] = []
    for number in sorted(set(numbers)):
        if runs and runs[-1][-1] + 1 == number:
            runs[-1] = [runs[-1][0], number]
        else:
            runs.append([number])
    if not runs:
        return "it has none"
    words = [" to ".join(map(str, run)) for run in runs[-most:]]
    listed = " and ".join([", ".join(words[:-1]), words[-1]] if words[1:] else words)
    one = len(runs) == 1 and len(runs[0]) == 1
    return f"it has version{'' if one else 's'} {'..., ' if len(runs) > most else ''}{listed}"


def approved_by(approvers: Iterable[str], broke_glass: bool) -> str | None:
    """Name who approved, for people; None where nobody had to."""
    names = ", ".join(dict.fromkeys(approvers))
    return f"{names or 'nobody'} (BROKE THE GLASS)" if broke_glass else names or None


def ended_text(because: str | None, event_type: str | None, by: str | None, reason: str | None) -> str | None:
    """Say why something ended: the reason in the record, else by whose event; None where none is known."""
    if because or not event_type:
        return because
    return f"{event_type} by {by}" + (f": {reason}" if reason else "")


def cut(text: str, most: int) -> str:
    """Return a text of at most `most` characters; a longer one is cut, and ends with an ellipsis."""
    return text if len(text) <= most else f"{text[: most - 1]}…"
