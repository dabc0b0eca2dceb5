"""What a broker's URL becomes."""

import pytest

from registrar.broker.celery_app import celery_app
from registrar.broker.transports import rabbitmq_transport, redis_transport
from registrar.broker.url import Broker, BrokerUrlError


@pytest.mark.parametrize(
    ("url", "rate_url"),
    [
        ("redis://:pw@h:1/2", "redis://:pw@h:1/2"),
        ("rediss://h:1/0?ssl_cert_reqs=none;rediss://i:1/0?ssl_ca_certs=x", "rediss://h:1/0?ssl_cert_reqs=none"),
        ("redis+socket:///run/redis.sock", "redis+unix:///run/redis.sock"),
        ("amqp://u:pw@h//;amqp://u:pw@i//", None),
        ("memory://", None),
    ],
)
def test_celery_gets_the_url_as_it_is_and_the_rate_limiter_a_redis_or_nothing(url: str, rate_url: str | None):
    broker = Broker.parse(url)
    assert (broker.url, broker.rate_url) == (url, rate_url)


def test_over_tls_redis_must_show_a_certificate_unless_the_url_says_otherwise():
    broker = Broker.parse("rediss://h:1/0;rediss://i:1/0?health_check_interval=2")
    required = "ssl_cert_reqs=required"
    assert broker.url == f"rediss://h:1/0?{required};rediss://i:1/0?health_check_interval=2&{required}"
    assert broker.rate_url == "rediss://h:1/0"  # as redis-py does it anyway


def test_each_sentinel_gets_the_first_ones_login_and_the_last_ones_database():
    broker = Broker.parse("sentinel://u:p%40w@h;sentinel://i:2;sentinel://[::1]:3/4?master_name=m&ssl_cert_reqs=none")
    tail = "/4?ssl_cert_reqs=none"
    hosts = ("h:26379", "i:2", "[::1]:3")
    assert broker.url == ";".join(f"sentinel://u:p%40w@{host}{tail}" for host in hosts)
    assert broker.rate_url == "redis+sentinel://h:26379,i:2,[::1]:3/m"
    assert broker.rate_options == {"db": 4, "username": "u", "password": "p@w"}
    assert celery_app("sentinel://h?master_name=m").conf.broker_transport_options["master_name"] == "m"


@pytest.mark.parametrize(
    "url",
    [
        "sentinel://h:1;sentinel://i:1/0",
        "sentinel://h:1;i:1/0?master_name=m",
        "sentinel://h:1/zero?master_name=m",
        "sentinel://h:port?master_name=m",
        "reddis://:secret@h/0",
        "",
    ],
)
def test_a_url_that_is_none_is_told_what_one_looks_like_and_no_secret(url: str):
    with pytest.raises(BrokerUrlError, match="sentinel://HOST:26379;sentinel://HOST2") as raised:
        Broker.parse(url)
    assert "secret" not in str(raised.value)


def test_secrets_are_shown_by_no_repr():
    assert "secret" not in repr(Broker.parse("sentinel://:secret@h/0?master_name=m"))


def test_redis_options_are_not_told_to_rabbitmq():
    options = celery_app("amqp://h//").conf.broker_transport_options
    assert options == {"confirm_publish": True, "answer_timeout": 5.0}


@pytest.mark.parametrize(
    ("urls", "transport"),
    [
        (["amqp://h//", "amqp://i//"], rabbitmq_transport.Transport),
        (["amqps://h//", "amqps://i//"], rabbitmq_transport.SSLTransport),
        (["redis://h/0", "redis://i/0"], redis_transport.Transport),
        (["rediss://h/0?ssl_cert_reqs=required", "rediss://i/0?ssl_cert_reqs=required"], redis_transport.Transport),
        (["redis+socket:///run/redis.sock"], redis_transport.Transport),
        (["sentinel://h/0?master_name=m", "sentinel://i/0?master_name=m"], redis_transport.SentinelTransport),
    ],
)
def test_each_of_several_hosts_is_spoken_to_by_our_transport(urls: list[str], transport: type):
    with celery_app(";".join(urls)).connection() as connection:
        for _ in urls:
            assert type(connection.transport) is transport
            connection.maybe_switch_next()
