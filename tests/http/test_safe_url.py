"""Who may answer for a name: public machines, and those that registrar.yml lists."""

import pytest

from registrar.http.safe_url import at_loopback, may_answer

PUBLIC = ["52.3.4.5", "2600:1f18::1", "::ffff:52.3.4.5", "64:ff9b::3403:405"]
OWN = ["127.0.0.1", "127.8.8.8", "10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1", "::1", "fc00::1"]
OWN_IN_DISGUISE = ["::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::"]
NOBODY = [  # and nobody in particular
    "169.254.169.254",
    "fe80::1",
    "fe80::1%eth0",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "0.0.0.0",  # noqa: S104 (no binding)
    "::",
]
GROUPS = ["224.0.0.1", "ff02::1"]


@pytest.mark.parametrize("peer", PUBLIC)
def test_a_public_machine_may_answer_for_a_kinds_own_host(peer: str):
    assert may_answer(peer, host="hooks.slack.com", listed=False)


@pytest.mark.parametrize("peer", [*OWN, *OWN_IN_DISGUISE, *NOBODY, *GROUPS])
def test_no_machine_of_a_private_network_may(peer: str):
    assert not may_answer(peer, host="hooks.slack.com", listed=False)


@pytest.mark.parametrize("peer", [*PUBLIC, *OWN, *OWN_IN_DISGUISE])
def test_a_host_that_is_listed_may_be_in_the_own_network(peer: str):
    assert may_answer(peer, host="chat.example", listed=True)


@pytest.mark.parametrize("peer", [*NOBODY, *GROUPS])
def test_a_listed_name_that_leads_to_the_clouds_metadata_is_refused(peer: str):
    assert not may_answer(peer, host="chat.example", listed=True)


def test_an_address_that_is_listed_as_such_is_meant():
    assert may_answer("169.254.7.7", host="169.254.7.7", listed=True)
    assert may_answer("fe80::1%eth0", host="[fe80::1]", listed=True)


@pytest.mark.parametrize(
    "url",
    ["http://localhost", "HTTP://LOCALHOST:8080/x", "https://127.0.0.1", "http://127.8.9.1:80", "http://[::1]:8080/"],
)
def test_a_url_of_this_machine(url: str):
    assert at_loopback(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://registrar.example.com",
        "https://127.0.0.1.example.com",
        "https://localhost@example.com",
        "https://localhost.example.com",
        "http://10.0.0.5",
        "http://0.0.0.0:8080",
        "http://[::]:8080",
        "localhost:8080",
        "http://[::1",
        "http://",
        "",
    ],
)
def test_a_url_that_leads_elsewhere_or_nowhere(url: str):
    assert not at_loopback(url)
