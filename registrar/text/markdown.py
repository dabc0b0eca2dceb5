"""Escape texts for chat systems that render Markdown: no name formats, links or mentions.

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
    """Escape a text, of `most` characters at most. Tables between fences stay, where only backticks could format."""
    lines, inside = [], False
    for line in text.split("\n"):
        if line == FENCE:
            inside = not inside
            lines.append(line)
        else:
            lines.append(_line(line, inside=inside))
    return _cut("\n".join(lines), most)


def uncalled(text: str) -> str:
    """Return the text without mentions, for systems that render no Markdown."""
    return _CALLING.sub("\\g<0>\u200b", shown(text, lines=True))


def unreferred(text: str, *, most: int) -> str:
    """Escape for GitHub and GitLab, and break references to issues, merge requests, labels, milestones, snippets."""
    return escape(_REFERRING.sub("\\g<0>\u200b", text), most=most)


def _line(line: str, *, inside: bool) -> str:
    quiet = uncalled(line)
    return quiet.replace("`", "'") if inside else _FORMATTING.sub(r"\\\g<0>", quiet)


def _cut(text: str, most: int) -> str:
    """Cut a text; close the fence of a table that is cut."""
    if len(text) <= most:
        return text
    end = f"\n{FENCE}"
    kept = text[: most - len(end) - 1].rstrip("\\`") + "…"
    return kept + end if kept.split("\n").count(FENCE) % 2 else kept
