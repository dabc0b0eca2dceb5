from pathlib import Path

import pytest

# Folders whose tests take longest: begun last, they would be waited for alone.
_FIRST = ("chaos", "browser", "brokers", "promotions")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    """Those of other folders than this one stay in front."""
    if Path(__file__).parent not in item.path.parents:
        return -1
    folder = item.path.parent.name
    return _FIRST.index(folder) if folder in _FIRST else len(_FIRST)
