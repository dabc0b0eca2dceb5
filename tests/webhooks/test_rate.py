"""A source is heard so often and no more; garbage silences nobody and fills no table; a dead Redis costs no time."""

import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

import pytest

from registrar.ledger import Ledger, rejections
from registrar.policy.load import parse
from registrar.settings import Settings
from tests.broker import Broker
from tests.webhooks.conftest import NOBODY, REGISTRAR_YML, Receiver, environ, finished, signed
from webhooks import ahead, rate, refusals
from webhooks.app import create_app
from webhooks.errors import BadSignature, TooMany
from webhooks.rate import REFUSED_FOR, Rate, address_key

pytestmark = pytest.mark.usefixtures("within_one_minute")

OTHER = "whsec_" + "bm9w" * 8
Open = Callable[..., Receiver]


@pytest.fixture
def limited(ledger: Ledger, tmp_path: Path) -> Open:
    """A receiver whose source ci may send so much; any number of them on one ledger."""

    def open_(limit: str, *, url: str = NOBODY) -> Receiver:
        settings = Settings.read(environ(tmp_path, broker=url))
        text = REGISTRAR_YML.replace("max_bytes: 4096", f"max_bytes: 4096\n    rate_limit: {limit}")
        return Receiver(create_app(settings, policy=parse(text)).test_client(), ledger, settings)

    return open_


def statuses(receiver: Receiver, count: int) -> list[int]:
    return [receiver.send(finished(run_id=f"r{number}")).status_code for number in range(count)]


def test_a_request_beyond_the_sources_limit_is_429_says_when_and_is_recorded(limited: Open):
    receiver = limited("3/minute")
    assert statuses(receiver, 3) == [202] * 3
    answer = receiver.send(finished())
    assert (answer.status_code, answer.mimetype) == (429, "application/problem+json")
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    assert answer.json["code"] == "too_many_requests"
    assert receiver.rejections() == [("ci", 429, "too_many_requests")]
    assert len(receiver.events()) == 3


def test_a_second_later_it_is_heard_again(limited: Open):
    receiver = limited("2/second")
    assert 429 in statuses(receiver, 9)
    time.sleep(2.1)
    assert statuses(receiver, 1) == [202]


def test_one_source_beyond_its_limit_does_not_silence_another(limited: Open):
    receiver = limited("1/minute")
    assert statuses(receiver, 2) == [202, 429]
    assert receiver.slack(b"command=%2Fregistry&text=help").status_code == 200


def test_the_order_is_method_and_content_type_then_the_rate_then_the_size(limited: Open, monkeypatch):
    monkeypatch.setattr(rate, "REFUSED_FOR", 60)
    receiver = limited("1/minute")
    statuses(receiver, 2)
    body = b" " * 5000
    assert receiver.client.get("/webhooks/ci").status_code == 405
    assert receiver.post(body, {**signed(body), "Content-Type": "text/plain"}).status_code == 415
    assert receiver.post(body, signed(body)).status_code == 429


def test_unsigned_garbage_does_not_use_up_the_sources_budget(limited: Open):
    receiver = limited("5/minute")
    assert {receiver.send(finished(), secret=OTHER).status_code for _ in range(50)} == {401}
    assert statuses(receiver, 5) == [202] * 5


def test_an_address_that_sends_garbage_is_429_and_who_shares_it_is_still_heard(limited: Open, monkeypatch):
    """Behind a proxy all senders have one address."""
    monkeypatch.setattr(refusals, "REFUSALS", "5/minute")
    receiver = limited("100/minute")
    garbage = [receiver.send(finished(), secret=OTHER) for _ in range(8)]
    assert [answer.status_code for answer in garbage] == [401] * 5 + [429] * 3
    assert 1 <= int(garbage[-1].headers["Retry-After"]) <= 60
    assert receiver.post(b"", {}, to="nobody").status_code == 429
    assert statuses(receiver, 1) == [202]


def test_two_receivers_count_together(limited: Open, broker: Broker):
    one, other = limited("4/minute", url=broker.url), limited("4/minute", url=broker.url)
    assert statuses(one, 3) + statuses(other, 3) == [202] * 4 + [429] * 2


def test_without_redis_each_receiver_counts_for_itself(limited: Open):
    assert statuses(limited("4/minute"), 6) == [202] * 4 + [429] * 2


class Asked:
    """Redis, and how often it was asked."""

    def __init__(self, limits: Rate) -> None:
        self._real, self.times = limits._shared, 0
        self.get_window_stats = self._real.get_window_stats

    def hit(self, *about: Any, cost: int) -> bool:
        self.times += 1
        return self._real.hit(*about, cost=cost)


def test_while_redis_hangs_one_request_waits_for_it_and_the_others_do_not(broker: Broker):
    limits = Rate(broker.url)
    limits._shared = asked = Asked(limits)  # type: ignore[assignment]
    broker.process.send_signal(signal.SIGSTOP)
    for _ in range(5):
        limits.count("9/minute", "x")
    assert asked.times == 1


def test_while_redis_hangs_one_thread_at_a_time_asks_it_again(broker: Broker):
    limits = Rate(broker.url)
    limits._shared = asked = Asked(limits)  # type: ignore[assignment]
    broker.process.send_signal(signal.SIGSTOP)
    limits.count("9/minute", "x")
    limits._silent_until = time.monotonic()
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: limits.count("100/minute", "x"), range(8)))
    assert asked.times == 2


def test_redis_counts_again_when_it_is_back(broker: Broker):
    limits = Rate(broker.url)
    broker.process.send_signal(signal.SIGSTOP)
    limits.count("2/minute", "x")
    broker.process.send_signal(signal.SIGCONT)
    limits._silent_until = time.monotonic()
    for _ in range(2):
        limits.count("2/minute", "x")
    with pytest.raises(TooMany):
        Rate(broker.url).count("2/minute", "x")


def test_a_source_beyond_its_limit_is_refused_unread_for_a_second_without_asking_redis(broker: Broker):
    limits = Rate(broker.url)
    limits.check("1/minute", "x")
    limits.count("1/minute", "x")
    limits.check("1/minute", "x")
    with pytest.raises(TooMany):
        limits.count("1/minute", "x")
    with pytest.raises(TooMany):
        limits.check("1/minute", "x")
    limits.check("1/minute", "y")
    time.sleep(REFUSED_FOR)
    limits.check("1/minute", "x")


def passing(limits: Rate, times: int, limit: str, *, ahead: bool) -> int:
    """How many of so many pass."""
    passed = 0
    for _ in range(times):
        try:
            limits.count(limit, "x", ahead=ahead)
            passed += 1
        except TooMany:
            pass
    return passed


def test_a_busy_source_asks_redis_seldom_and_never_passes_its_limit(broker: Broker):
    limits = Rate(broker.url)
    limits._shared = asked = Asked(limits)  # type: ignore[assignment]
    assert passing(limits, 3000, "3000/day", ahead=True) == 3000
    assert asked.times < 600
    assert passing(limits, 5, "3000/day", ahead=True) == 0


def test_two_busy_receivers_never_pass_the_limit_and_give_little_away(broker: Broker):
    one, other = Rate(broker.url), Rate(broker.url)
    passed = sum(passing(limits, 100, "1000/day", ahead=True) for _ in range(8) for limits in (one, other))
    assert 980 <= passed <= 1000


def test_who_comes_seldom_is_counted_one_by_one(broker: Broker, monkeypatch):
    limits = Rate(broker.url)
    monkeypatch.setattr(ahead, "QUICKLY", 0)
    assert passing(limits, 9, "1000/day", ahead=True) == 9
    assert passing(limits, 1000, "1000/day", ahead=False) == 991


def test_what_was_counted_and_not_used_is_given_up(broker: Broker, monkeypatch):
    monkeypatch.setattr(ahead, "KEPT", -1)
    limits = Rate(broker.url)
    limits._shared = asked = Asked(limits)  # type: ignore[assignment]
    for _ in range(20):
        limits.count("6000/day", "x", ahead=True)
    assert asked.times == 20


def test_redis_keeps_no_key_for_longer_than_two_minutes(broker: Broker):
    Rate(broker.url).count("9/minute", "x")
    assert all(0 < broker.client.ttl(key) <= 121 for key in broker.client.keys("*"))


@pytest.mark.parametrize(
    ("remote", "key"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:aaaa::1", "2001:db8:1:2::"),
        ("2001:db8:1:2:bbbb::9", "2001:db8:1:2::"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("fe80::1%eth0", "fe80::"),
        ("", "-"),
        (None, "-"),
    ],
)
def test_an_address_stands_for_one_host(remote: str | None, key: str):
    assert address_key(remote) == key


class Timer:
    """Stands for threading.Timer: the minute ends when the test says so."""

    started: ClassVar[list["Timer"]] = []

    def __init__(self, seconds: float, flush: Callable[[], None]) -> None:
        self.flush = flush

    def start(self) -> None:
        self.started.append(self)


def test_of_many_refusals_in_a_minute_the_first_are_written_and_the_rest_counted(ledger: Ledger, monkeypatch):
    monkeypatch.setattr(threading, "Timer", Timer)
    record = refusals.Record(ledger, {"ci"})
    for number in range(250):
        record.write("ci", BadSignature(), number)
        record.write(f"guess{number}", BadSignature(), number)
    [timer] = Timer.started
    timer.flush()
    with ledger.read() as connection:
        rows = rejections.latest(connection, limit=1000)
    assert len(rows) == 2 * refusals.MOST + 2
    assert [(row["source"], row["code"]) for row in rows[:2]] == [("ci", "and_more"), ("(unknown)", "and_more")]
    assert "and 150 more within the minute" in rows[0]["detail"]
    assert "150 bad_signature" in rows[0]["detail"]


def test_the_ledger_keeps_the_newest_refusals_and_drops_the_oldest(ledger: Ledger, monkeypatch):
    monkeypatch.setattr(rejections, "KEPT", 50)
    monkeypatch.setattr(rejections, "_PRUNE_EVERY", 10)
    record = refusals.Record(ledger, {"ci"})
    monkeypatch.setattr(refusals, "MOST", 1000)
    for number in range(120):
        record.write("ci", BadSignature(), number)
    with ledger.read() as connection:
        sizes = [row["size"] for row in rejections.latest(connection, limit=1000)]
    assert sizes == list(range(119, 69, -1))


@pytest.mark.parametrize("limit", ["0/minute", "5/hour", "5 per minute", "many", "5/minute\n"])
def test_a_limit_is_so_many_a_second_or_a_minute(limit: str):
    with pytest.raises(ValueError, match="rate_limit"):
        parse(
            REGISTRAR_YML.replace(
                "max_bytes: 4096", f'max_bytes: 4096\n    rate_limit: "{limit!s}"'.replace('\n"', '\\n"')
            )
        )
