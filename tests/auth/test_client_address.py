"""A peer's own address counts, and a forwarded one where a trusted proxy says it; never what a client says."""

import time
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhooks.auth.trusted_proxy import MOST_HOPS, client_address, parse_networks

NETWORKS = parse_networks(["10.0.0.0/8", "192.0.2.1/32", "fd00::/64"])
PROXY, OTHER = "10.0.0.7", "203.0.113.9"


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "counts"),
    [
        # The peer, where it is no proxy of ours.
        (OTHER, None, OTHER),
        (OTHER, "198.51.100.1", OTHER),
        ("::1", "198.51.100.1", "::1"),
        ("2001:DB8::0:7", None, "2001:db8::7"),
        ("::ffff:203.0.113.9", "198.51.100.1", OTHER),
        ("fe80::1%eth0", None, "fe80::1"),
        # What our proxy says: the right-most that is none of ours.
        (PROXY, "198.51.100.1", "198.51.100.1"),
        (PROXY, "127.0.0.1, 198.51.100.1", "198.51.100.1"),
        (PROXY, "127.0.0.1,198.51.100.1,10.9.9.9, 192.0.2.1", "198.51.100.1"),
        ("::ffff:10.0.0.7", "198.51.100.1", "198.51.100.1"),
        ("fd00::1%eth0", "2001:db8::7", "2001:db8::7"),
        (PROXY, "::ffff:198.51.100.1", "198.51.100.1"),
        (PROXY, "198.51.100.1, ::ffff:10.0.0.8", "198.51.100.1"),
        (PROXY, "fe80::1%eth0", "fe80::1"),
        # With a port.
        (PROXY, "198.51.100.1:5678", "198.51.100.1"),
        (PROXY, "[2001:db8::7]:80", "2001:db8::7"),
        (PROXY, "[2001:db8::7]", "2001:db8::7"),
        (PROXY, "198.51.100.1, 10.0.0.8:443", "198.51.100.1"),
        # All are proxies of ours: the farthest.
        (PROXY, None, PROXY),
        (PROXY, "10.0.0.9, 10.0.0.8", "10.0.0.9"),
        # What is no address ends the walk.
        (PROXY, "", PROXY),
        (PROXY, "unknown", PROXY),
        (PROXY, "198.51.100.1, unknown", PROXY),
        (PROXY, "198.51.100.1, unknown, 10.0.0.8", "10.0.0.8"),
        (PROXY, "198.51.100.1,", PROXY),
        (PROXY, "198.51.100.1;10.0.0.8", PROXY),
        (PROXY, "010.0.0.8", PROXY),
        (PROXY, "1.2.3.4.5", PROXY),
        (PROXY, "3232235777", PROXY),
        (PROXY, "198.51.100.1:123456", PROXY),
        (PROXY, "2001:db8::7]:80", PROXY),
        (PROXY, "for=198.51.100.1", PROXY),
        (PROXY, '"198.51.100.1"', PROXY),
        (PROXY, "\u0661\u0669\u0668.51.100.1", PROXY),
        (PROXY, " " * 100 + "198.51.100.1", PROXY),
        # A Unix socket has no address, and is in no network.
        (None, "198.51.100.1", None),
        ("", "198.51.100.1", None),
        ("/run/registrar.sock", "198.51.100.1", None),
    ],
)
def test_whose_address_counts(peer: str | None, forwarded_for: str | None, counts: str | None):
    assert client_address(peer, forwarded_for, NETWORKS) == counts


def test_where_no_network_is_trusted_nothing_forwarded_is():
    assert client_address(PROXY, "198.51.100.1", ()) == PROXY


def test_so_many_proxies_in_a_row_are_walked_past_and_no_more():
    proxies = [f"10.0.1.{number}" for number in range(MOST_HOPS)]
    assert client_address(PROXY, ",".join([OTHER, *proxies[1:]]), NETWORKS) == OTHER
    assert client_address(PROXY, ",".join([OTHER, *proxies]), NETWORKS) == proxies[0]


@pytest.mark.parametrize(
    "forwarded_for", ["10.0.0.8," * 12_000, "," * 100_000, "x" * 100_000, " " * 99_999 + ",", "[" * 100_000]
)
def test_a_hundred_kilobytes_cost_little(forwarded_for: str):
    best = min(_seconds(forwarded_for) for _ in range(20))
    assert best < 0.001


def _seconds(forwarded_for: str) -> float:
    began = time.perf_counter()
    client_address(PROXY, forwarded_for, NETWORKS)
    return time.perf_counter() - began


ADDRESSES = st.ip_addresses().map(str)
PROXIES = st.one_of(st.ip_addresses(network="10.0.0.0/8"), st.ip_addresses(network="fd00::/64")).map(str)
PIECES = st.one_of(ADDRESSES, PROXIES, st.sampled_from([",", ", ", ":80", "[", "]", "%", "::ffff:", " "]), st.text())
HOSTILE = st.one_of(st.text(), st.lists(PIECES).map("".join), st.lists(PIECES).map(",".join))
STRANGERS = ADDRESSES.filter(lambda text: client_address(text, OTHER, NETWORKS) != OTHER)


@given(peer=HOSTILE, forwarded_for=HOSTILE)
def test_nothing_raises_and_what_counts_is_an_address(peer: str, forwarded_for: str):
    counts = client_address(peer, forwarded_for, NETWORKS)
    assert counts is None or str(ip_address(counts)) == counts


@given(peer=STRANGERS, forwarded_for=HOSTILE)
def test_what_a_stranger_says_changes_nothing(peer: str, forwarded_for: str):
    assert client_address(peer, forwarded_for, NETWORKS) == client_address(peer, None, NETWORKS)


@given(peer=PROXIES, said=HOSTILE, client=STRANGERS, hops=st.lists(PROXIES, max_size=MOST_HOPS - 1))
def test_what_a_client_said_to_our_proxies_changes_nothing(peer: str, said: str, client: str, hops: list[str]):
    """Each proxy appends whom it heard."""
    header = ", ".join([said, client, *hops])
    assert client_address(peer, header, NETWORKS) == client_address(client, None, NETWORKS)
