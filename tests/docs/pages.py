"""The Markdown pages of the repository: their text, headings, links and recipes."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
HOW_TO = DOCS / "how-to"
_FENCE = re.compile(r"^(```+|~~~+).*?^\1\s*$", re.DOTALL | re.MULTILINE)


def pages() -> list[Path]:
    """Return every Markdown page that readers see: at the top, in docs/ and in .github/."""
    return sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *(ROOT / ".github").rglob("*.md")])


def prose(page: Path) -> str:
    """Return the text without code blocks and inline code, where brackets are no links."""
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    return re.sub(r"(`+)(?!`).+?(?<!`)\1(?!`)", "", re.sub(r"^ {4}.*$", "", text, flags=re.MULTILINE))


def links(page: Path) -> list[str]:
    """Return the targets of links and pictures, without those of other sites."""
    text = prose(page)
    found = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r"(?:src|href)=\"([^\"]+)\"", text)
    return [url for url in found if not re.match(r"[a-z]+:", url)]


def anchors(page: Path) -> set[str]:
    """Return the ids of a page's headings, as GitHub and Python-Markdown both make them.

    Raises AssertionError for a heading of which the two make different ids, and for one that stands there twice.
    """
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    found: list[str] = []
    for heading in re.findall(r"^#{1,6} (.+?)\s*$", text, re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        kept = re.sub(r"[^\w\s-]", "", plain).strip().lower()
        on_github, on_site = kept.replace(" ", "-"), re.sub(r"[-\s]+", "-", kept)
        assert on_github == on_site, (
            f"{page.relative_to(ROOT)}: '{heading}' has one id on GitHub and another on the site"
        )
        found.append(on_site)
    return set(found)


def section(title: str) -> tuple[Path, str]:
    """Return the page of docs/how-to with the heading `## title`, and the text under it.

    Raises AssertionError where no page has it, or two have.
    """
    found = [page for page in sorted(HOW_TO.rglob("*.md")) if f"\n## {title}\n" in page.read_text(encoding="utf-8")]
    assert len(found) == 1, f"one page in docs/how-to needs a section '## {title}'; it is in {found or 'none'}"
    return found[0], found[0].read_text(encoding="utf-8").partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def examples(language: str) -> list[tuple[str, str]]:
    """Return (page:number, text) of every code block of a language in docs/how-to and docs/explanation."""
    found = []
    for page in sorted([*HOW_TO.rglob("*.md"), *(DOCS / "explanation").rglob("*.md")]):
        blocks = re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
        found += [(f"{page.relative_to(DOCS)}:{number}", block) for number, block in enumerate(blocks, 1)]
    return found
