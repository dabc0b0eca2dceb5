"""Brokers over TLS: whoever can't show that he is the one who was meant is told nothing."""

import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from kombu.exceptions import OperationalError

from registrar.broker.celery_app import celery_app
from registrar.broker.redis_server import redis_server
from tests.certificates import ELSEWHERE, HERE, LOCALHOST, Named, certificate
from tests.links import LOOPBACK
from tests.mlflow_server import free_port

NAMES = pytest.mark.parametrize("name", [HERE, ELSEWHERE], ids=["its own", "another's"])


@contextmanager
def redis_over_tls(pem: Path) -> Iterator[int]:
    port = free_port()
    tls = (
        "--tls-cert-file",
        str(pem),
        "--tls-key-file",
        str(pem),
        "--tls-ca-cert-file",
        str(pem),
        "--tls-auth-clients",
        "no",
    )
    command = [redis_server(), "--port", "0", "--tls-port", str(port), "--bind", LOOPBACK, "--save", "", *tls]
    process = subprocess.Popen(command, cwd=pem.parent, stdout=subprocess.DEVNULL)
    try:
        yield port
    finally:
        process.kill()
        process.wait()


@contextmanager
def listening_over_tls(pem: Path) -> Iterator[tuple[str, list[bytes]]]:
    """As far as it matters here, two RabbitMQ: their URL, and the first that they were told over each link."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    told: list[bytes] = []

    def listen() -> None:
        while True:
            try:
                link, _ = server.accept()
            except OSError:
                return
            with link:
                link.settimeout(5)
                try:
                    told.append(context.wrap_socket(link, server_side=True).recv(4))
                except OSError:  # whoever does not trust it hangs up
                    told.append(b"")

    with socket.create_server((LOOPBACK, 0)) as server:
        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        url = f"amqps://u:p@{LOOPBACK}:{server.getsockname()[1]}//"
        yield f"{url};{url}", told
        server.shutdown(socket.SHUT_RDWR)
    thread.join(10)


def connect(url: str) -> None:
    """Raises OperationalError, from what the library said."""
    with celery_app(url, patient=False).connection_for_write() as connection:
        connection.ensure_connection(max_retries=1, interval_start=0)
        if url.startswith("redis"):
            connection.default_channel.client.ping()


def connected(url: str) -> bool:
    """Within 10 s: it may still be starting."""
    for _ in range(100):
        try:
            connect(url)
        except OperationalError:
            time.sleep(0.1)
        else:
            return True
    return False


@NAMES
def test_redis_is_trusted_under_its_own_name_alone(tmp_path: Path, monkeypatch, name: Named):
    certificate(tmp_path / "own.pem", name=name)
    with redis_over_tls(tmp_path / "own.pem") as port:
        url = f"rediss://{LOOPBACK}:{port}/0"
        assert connected(f"{url}?ssl_cert_reqs=none")
        with pytest.raises(OperationalError, match="CERTIFICATE_VERIFY_FAILED"):
            connect(url)
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "own.pem"))
        if name is HERE:
            assert connected(url)
        else:
            with pytest.raises(OperationalError, match="IP address mismatch"):
                connect(url)


@NAMES
def test_rabbitmq_is_trusted_under_its_own_name_alone(tmp_path: Path, monkeypatch, name: Named):
    certificate(tmp_path / "own.pem", name=name)
    untrusted = pytest.raises(OperationalError, match="CERTIFICATE_VERIFY_FAILED")
    with listening_over_tls(tmp_path / "own.pem") as (urls, told), untrusted:
        connect(urls)
    assert set(told) == {b""}
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "own.pem"))
    heard_enough = pytest.raises(OperationalError)  # it hangs up
    with listening_over_tls(tmp_path / "own.pem") as (urls, told), heard_enough:
        connect(urls)
    assert set(told) == ({b"AMQP"} if name is HERE else {b""})


def test_localhost_is_still_its_name_when_the_link_is_opened_anew(tmp_path: Path, monkeypatch):
    certificate(tmp_path / "own.pem", name=LOCALHOST)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "own.pem"))
    with listening_over_tls(tmp_path / "own.pem") as (urls, told):
        url = urls.partition(";")[0].replace(LOOPBACK, "localhost")
        with celery_app(url).connection_for_write() as connection:
            for _ in range(2):
                with pytest.raises(connection.connection_errors):  # it hangs up
                    connection.connect()
    assert set(told) == {b"AMQP"}
