"""Escape texts for chat systems that render Markdown: no name formats, links or mentions.

A zero-width space after @ and < keeps @channel, <@1> and <!here> from being mentions; some systems show a backslash.
"""

import re

from registrar.text.sanitize import shown

FENCE = "```"  # a line of its own, around a table (worker/lookups.py)
_FORMATTING = re.compile(r"[\\`*_~|#>\[\]]")
_MENTIONS = re.compile("[@<]")
# https://docs.gitlab.com/user/markdown/#gitlab-specific-references; a backslash before # does not keep GitHub from it.
_REFERENCES = re.compile(r"[#!~%$&^](?=[\w\"\[])|(?<=\bGH)-(?=\d)", re.IGNORECASE)


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


def without_mentions(text: str) -> str:
    """Return the text without mentions, for systems that render no Markdown."""
    return _MENTIONS.sub("\\g<0>\u200b", shown(text, lines=True))


def without_references(text: str, *, most: int) -> str:
    """Escape for GitHub and GitLab, and break references to issues, merge requests, labels, milestones, snippets."""
    return escape(_REFERENCES.sub("\\g<0>\u200b", text), most=most)


def _line(line: str, *, inside: bool) -> str:
    escaped = without_mentions(line)
    return escaped.replace("`", "'") if inside else _FORMATTING.sub(r"\\\g<0>", escaped)


def _cut(text: str, most: int) -> str:
    """Cut a text; close the fence of a table that is cut."""
    if len(text) <= most:
        return text
    end = f"\n{FENCE}"
    kept = text[: most - len(end) - 1].rstrip("\\`") + "…"
    return kept + end if kept.split("\n").count(FENCE) % 2 else kept
