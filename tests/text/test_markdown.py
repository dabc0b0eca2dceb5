"""What people or models are called formats, links and calls nothing."""

import re

from hypothesis import given
from hypothesis import strategies as st

from registrar.text.markdown import FENCE, escape

TABLE = f"Versions of *taxi*\n{FENCE}\nversion  name\n1        a_b @here `x`\n{FENCE}"


def test_names_format_nothing():
    assert escape("*a* _b_ `c` [d](e) ~f~ |g| # > \\", most=200) == (
        "\\*a\\* \\_b\\_ \\`c\\` \\[d\\](e) \\~f\\~ \\|g\\| \\# \\> \\\\"
    )


@given(st.text(max_size=300))
def test_nobody_is_called(text: str):
    assert not re.search("@[^\u200b]|<[^\u200b]", escape(f"{text}@here <!all>", most=2000))


@given(st.text(max_size=300), st.integers(20, 100))
def test_no_text_is_longer_than_allowed(text: str, most: int):
    assert len(escape(text, most=most)) <= most


def test_a_table_stays_a_table():
    assert escape(TABLE, most=200) == (
        f"Versions of \\*taxi\\*\n{FENCE}\nversion  name\n1        a_b @\u200bhere 'x'\n{FENCE}"
    )


def test_a_table_that_is_cut_is_closed():
    cut = escape(TABLE.replace("1 ", "1 " * 100), most=100)
    assert cut.endswith(f"…\n{FENCE}")
    assert cut.split("\n").count(FENCE) == 2
