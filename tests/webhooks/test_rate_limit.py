"""A source is heard so often and no more; garbage silences nobody and fills no table; nobody waits for Redis."""

import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

import pytest

from registrar.config.settings import Settings
from registrar.ledger import Ledger, rejections
from registrar.policy.load import parse
from tests.broker import Broker
from tests.webhooks.conftest import NOBODY, REGISTRAR_YML, Receiver, environ, finished, signed
from webhooks.app import create_app
from webhooks.ingress import error_handlers, rate_limit, rejection_log
from webhooks.ingress.errors import BadSignature, TooMany
from webhooks.ingress.rate_limit import RateLimiter, address_key
from webhooks.ingress.rate_windows import PREFIX
from webhooks.ingress.rejection_log import RejectionLog

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


def test_the_order_is_method_and_content_type_then_the_rate_then_the_size(limited: Open):
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
    monkeypatch.setattr(error_handlers, "REFUSALS", "5/minute")
    receiver = limited("100/minute")
    garbage = [receiver.send(finished(), secret=OTHER) for _ in range(8)]
    assert [answer.status_code for answer in garbage] == [401] * 5 + [429] * 3
    assert 1 <= int(garbage[-1].headers["Retry-After"]) <= 60
    assert receiver.post(b"", {}, to="nobody").status_code == 429
    assert statuses(receiver, 1) == [202]


def test_without_redis_each_receiver_counts_for_itself(limited: Open):
    assert statuses(limited("4/minute"), 6) == [202] * 4 + [429] * 2


def test_two_receivers_count_together_once_they_have_reported(limited: Open, broker: Broker):
    one, other = limited("4/minute", url=broker.url), limited("4/minute", url=broker.url)
    assert statuses(one, 3) == [202] * 3
    until(lambda: used(broker) == 3)
    assert statuses(other, 1) == [202]
    until(lambda: used(broker) == 4)
    until(lambda: statuses(other, 1) == [429])
    until(lambda: statuses(one, 1) == [429])


# Seconds in which nothing of Redis may be waited for.
AT_ONCE = 0.2


def until(reached: Callable[[], bool]) -> None:
    for _ in range(100):
        if reached():
            return
        time.sleep(0.05)
    raise AssertionError("it did not come within 5 s")


def used(broker: Broker) -> int:
    """How many requests Redis has counted within the minute."""
    return sum(int(broker.client.get(key) or 0) for key in broker.client.keys(f"*{PREFIX}*"))


def passing(limits: RateLimiter, times: int, limit: str, key: str = "x") -> int:
    """How many of so many pass."""
    passed = 0
    for _ in range(times):
        with suppress(TooMany):
            limits.count(limit, key)
            passed += 1
    return passed


def test_one_receiver_never_passes_its_limit_however_fast_it_is(broker: Broker):
    assert passing(RateLimiter(broker.url), 5000, "3000/day") == 3000


def test_two_receivers_pass_the_limit_by_what_they_admit_between_two_reports(broker: Broker):
    one, other = RateLimiter(broker.url), RateLimiter(broker.url)
    passed = 0
    for _ in range(40):
        passed += passing(one, 10, "200/day") + passing(other, 10, "200/day")
        time.sleep(rate_limit.REPORT_EVERY * 2)
    assert 200 <= passed <= 240
    assert passing(one, 10, "200/day") == passing(other, 10, "200/day") == 0


def test_a_new_receiver_learns_what_the_others_have_used_up(broker: Broker):
    one = RateLimiter(broker.url)
    assert passing(one, 9, "9/day") == 9
    until(lambda: used(broker) == 9)
    new = RateLimiter(broker.url)
    passing(new, 1, "9/day")
    until(lambda: passing(new, 1, "9/day") == 0)


def test_a_key_at_its_limit_is_refused_unread_and_others_are_not(broker: Broker):
    limits = RateLimiter(broker.url)
    limits.check("1/day", "x")
    limits.count("1/day", "x")
    for ask in (limits.check, limits.count):
        with pytest.raises(TooMany):
            ask("1/day", "x")
    limits.check("1/day", "y")
    limits.count("1/day", "y")


def test_a_key_at_its_limit_has_room_again_when_its_window_has_gone_by(broker: Broker):
    limits = RateLimiter(broker.url)
    assert passing(limits, 9, "2/second") == 2
    time.sleep(2.1)
    until(lambda: passing(limits, 1, "2/second") == 1)


def test_a_flood_at_one_key_asks_redis_seldom(broker: Broker, monkeypatch):
    limits, asked = RateLimiter(broker.url), []
    charge = rate_limit.charge
    monkeypatch.setattr(rate_limit, "charge", lambda *about: asked.append(about) or charge(*about))
    ends = time.monotonic() + 1.5
    passed = 0
    while time.monotonic() < ends:
        passed += passing(limits, 100, "50/day")
    assert passed == 50
    assert len(asked) <= 2 + 1.5 / rate_limit.RECHECK_EVERY


@pytest.mark.parametrize("trouble", ["dead", "hanging", "slow"])
def test_nobody_waits_for_redis_whatever_is_wrong_with_it(broker: Broker, trouble: str, monkeypatch):
    limits = RateLimiter("redis://127.0.0.1:1/0" if trouble == "dead" else broker.url)
    if trouble == "hanging":
        broker.process.send_signal(signal.SIGSTOP)
    if trouble == "slow":
        charge = rate_limit.charge
        monkeypatch.setattr(rate_limit, "charge", lambda *about: time.sleep(0.4) or charge(*about))
    slowest = 0.0
    for number in range(150):
        began = time.monotonic()
        limits.check("1000/day", f"{number % 3}")
        limits.count("1000/day", f"{number % 3}")
        slowest = max(slowest, time.monotonic() - began)
        time.sleep(0.01)
    assert slowest < AT_ONCE


def test_while_redis_hangs_a_receiver_counts_for_itself_and_asks_it_seldom(broker: Broker, monkeypatch):
    limits, asked = RateLimiter(broker.url), []
    report = limits._report
    monkeypatch.setattr(limits, "_report", lambda *of: asked.append(time.monotonic()) or report(*of))
    broker.process.send_signal(signal.SIGSTOP)
    passing(limits, 1, "9/day")
    until(lambda: limits._is_local)
    assert passing(limits, 20, "9/day") == 8  # what was admitted before counts
    time.sleep(1)
    assert passing(limits, 20, "9/day") == 0
    assert len(asked) == 1


def test_when_redis_is_back_receivers_count_together_again(broker: Broker, monkeypatch):
    monkeypatch.setattr(rate_limit, "PAUSE", 0.2)
    one, other = RateLimiter(broker.url), RateLimiter(broker.url)
    broker.process.send_signal(signal.SIGSTOP)
    passing(one, 1, "6/day")
    until(lambda: one._is_local)
    broker.process.send_signal(signal.SIGCONT)
    until(lambda: passing(one, 1, "1000/day", "other") == 1 and not one._is_local)
    assert passing(one, 6, "6/day") == 6
    until(lambda: passing(other, 1, "6/day") == 0)


def test_only_so_many_keys_are_kept_in_memory(broker: Broker, monkeypatch):
    monkeypatch.setattr(rate_limit, "_MOST_KEYS", 20)
    limits = RateLimiter(broker.url)
    limits.count("9/minute", rate_limit.SOURCE, "ci")
    for number in range(200):
        limits.count("9/minute", f"203.0.113.{number}")
        assert len(limits._windows) <= 20
    assert (rate_limit.SOURCE, "ci") in limits._windows


def test_a_pause_gives_no_more_than_a_sliding_window_does(broker: Broker):
    limits = RateLimiter(broker.url)
    assert passing(limits, 100, "60/minute") == 60
    time.sleep(6)
    assert passing(limits, 100, "60/minute") <= 7


def test_a_flood_of_addresses_does_not_keep_a_source_from_being_counted(broker: Broker):
    limits = RateLimiter(broker.url)
    for number in range(3000):
        limits.count("9/minute", "refused", f"2001:db8:0:{number:x}::")
    assert passing(limits, 5, "9/minute", rate_limit.SOURCE) == 5
    until(lambda: [key for key in broker.client.keys("*") if b"/source/" in key])


def test_whatever_redis_says_instead_of_an_answer_ends_no_counting(broker: Broker, monkeypatch):
    monkeypatch.setattr(rate_limit, "PAUSE", 0.1)
    limits = RateLimiter(broker.url)
    with monkeypatch.context() as odd:
        odd.setattr(rate_limit, "charge", lambda *_: int("abc"))
        passing(limits, 1, "5/minute")
        until(lambda: limits._is_local)
        assert passing(limits, 20, "5/minute") == 4
    until(lambda: passing(limits, 1, "9999/minute", "z") == 1 and not limits._is_local)


def test_threads_that_count_at_once_pass_no_more_than_the_limit(broker: Broker):
    limits = RateLimiter(broker.url)
    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(lambda _: passing(limits, 100, "300/day"), range(8))) == 300


def test_redis_wiped_or_read_only_ends_nothing(broker: Broker, monkeypatch):
    monkeypatch.setattr(rate_limit, "PAUSE", 0.1)
    limits = RateLimiter(broker.url)
    passing(limits, 10, "9999/minute")
    time.sleep(4 * rate_limit.REPORT_EVERY)
    broker.client.flushall()
    broker.client.config_set("min-replicas-to-write", "1")
    passing(limits, 10, "9999/minute")
    time.sleep(4 * rate_limit.REPORT_EVERY)
    broker.client.config_set("min-replicas-to-write", "0")
    time.sleep(0.3)
    passing(limits, 10, "9999/minute")
    time.sleep(4 * rate_limit.REPORT_EVERY)
    passing(limits, 10, "9999/minute")
    time.sleep(4 * rate_limit.REPORT_EVERY)
    assert limits._is_local is False
    assert broker.client.keys("*")


def test_redis_keeps_no_key_for_longer_than_two_minutes(broker: Broker):
    RateLimiter(broker.url).count("9/minute", "x")
    until(lambda: used(broker) == 1)
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
    record = RejectionLog(ledger, {"ci"})
    for number in range(250):
        record.write("ci", BadSignature(), number)
        record.write(f"guess{number}", BadSignature(), number)
    [timer] = Timer.started
    timer.flush()
    record.drain()
    with ledger.read() as connection:
        rows = rejections.latest(connection, limit=1000)
    assert len(rows) == 2 * rejection_log.MOST + 2
    assert [(row["source"], row["code"]) for row in rows[:2]] == [("ci", "and_more"), ("(unknown)", "and_more")]
    assert "and 150 more within the minute" in rows[0]["detail"]
    assert "150 bad_signature" in rows[0]["detail"]


def test_the_ledger_keeps_the_newest_refusals_and_drops_the_oldest(ledger: Ledger, monkeypatch):
    monkeypatch.setattr(rejections, "KEPT", 50)
    monkeypatch.setattr(rejections, "_PRUNE_EVERY", 10)
    record = RejectionLog(ledger, {"ci"})
    monkeypatch.setattr(rejection_log, "MOST", 1000)
    for number in range(120):
        record.write("ci", BadSignature(), number)
    record.drain()
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
