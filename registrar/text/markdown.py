"""Texts for chat systems that render Markdown (Mattermost, Discord): nothing in a name formats, links or calls anybody.

A zero-width space after @ and < takes their meaning: @channel, <@1>, <!here>. A backslash would be shown by some.
"""

import re

from registrar.text.sanitize import shown

FENCE = "```"  # a line of its own, around a table (worker/lookups.py)
_FORMATTING = re.compile(r"[\\`*_~|#>\[\]]")
_CALLING = re.compile("[@<]")
# https://docs.gitlab.com/user/markdown/#gitlab-specific-references; a backslash before # does not keep GitHub from it.
_REFERRING = re.compile(r"[#!~%$&^](?=[\w\"\[])|(?<=\bGH)-(?=\d)", re.IGNORECASE)


def escape(text: str, *, most: int) -> str:
    """At most so many characters. A table between two fences stays one: there only backticks could format."""
    lines, inside = [], False
    for line in text.split("\n"):
        if line == FENCE:
            inside = not inside
            lines.append(line)
        else:
            lines.append(_line(line, inside=inside))
    return _cut("\n".join(lines), most)


def uncalled(text: str) -> str:
    """The text, calling nobody; for systems that take it as it stands."""
    return _CALLING.sub("\\g<0>\u200b", shown(text, lines=True))


def unreferred(text: str, *, most: int) -> str:
    """For GitHub and GitLab: escaped, and naming no issue, merge request, label, milestone or snippet by its sign."""
    return escape(_REFERRING.sub("\\g<0>\u200b", text), most=most)


def _line(line: str, *, inside: bool) -> str:
    quiet = uncalled(line)
    return quiet.replace("`", "'") if inside else _FORMATTING.sub(r"\\\g<0>", quiet)


def _cut(text: str, most: int) -> str:
    """A table that is cut is closed."""
    if len(text) <= most:
        return text
    end = f"\n{FENCE}"
    kept = text[: most - len(end) - 1].rstrip("\\`") + "…"
    return kept + end if kept.split("\n").count(FENCE) % 2 else kept
