"""Redis behind Sentinel: its master dies while events come, and the next one takes over."""

from pathlib import Path

from tests import sentinels
from tests.slow.brokers.conftest import installation
from webhooks.ingress.rate_windows import PREFIX


def test_a_failover_loses_nothing_and_needs_nobody(tmp_path: Path):
    folder = tmp_path / "redis"
    folder.mkdir()
    with sentinels.serve(folder) as watched, installation(tmp_path / "site", watched.url) as site:
        posted = site.post_all(5)
        assert site.states(posted) == {"succeeded"}
        posted += site.post_all(20)
        watched.kill_the_master()
        posted += site.post_all(10)
        assert site.states(posted) == {"succeeded"}
        # Rates are counted on the new master.
        assert watched.client().keys(f"{PREFIX}:*")
