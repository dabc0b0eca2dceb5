"""Every relative link of a page leads to a file, and every anchor to a heading; the README stays short."""

from pathlib import Path

import pytest

from tests.docs.pages import DOCS, ROOT, anchors, links, pages

EACH = pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))


@EACH
def test_every_link_leads_somewhere(page: Path):
    broken = []
    for url in links(page):
        path, _, anchor = url.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists():
            broken.append(url)
        elif anchor and anchor not in anchors(target):
            broken.append(f"{url}: no such heading")
    assert broken == []


@EACH
def test_a_link_to_a_page_names_the_file(page: Path):
    """A folder has no page of its own on the site."""
    assert [url for url in links(page) if url.partition("#")[0] and (page.parent / url).is_dir()] == []


def test_every_page_can_be_reached_from_the_first():
    seen: set[Path] = set()
    todo = [DOCS / "index.md"]
    while todo:
        page = todo.pop()
        if page in seen or page.suffix != ".md" or not page.exists():
            continue
        seen.add(page)
        todo += [(page.parent / url.partition("#")[0]).resolve() for url in links(page) if url.partition("#")[0]]
    assert sorted(str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md") if page not in seen) == []


def test_the_site_shows_every_page():
    """Of the decisions only the list, which has all of them."""
    shown = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    named = [str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md") if page.parent.name != "decisions"]
    assert [name for name in [*named, "decisions/index.md"] if name not in shown] == []


def test_the_readme_has_at_most_150_lines():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150
