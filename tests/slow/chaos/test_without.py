"""What takes a safeguard away must find it: else a run without it would be a run like any other."""

from unittest.mock import patch

import pytest

from tests.slow.chaos.without import WITHOUT


@pytest.mark.parametrize("safeguard", WITHOUT)
def test_each_safeguard_is_found_where_it_is_taken_away(safeguard):
    try:
        WITHOUT[safeguard]()
    finally:
        patch.stopall()
