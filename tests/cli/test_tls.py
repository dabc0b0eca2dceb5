"""The command line on a receiver elsewhere, over TLS: trusted, self-signed, expired, of another name, or none."""

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from cryptography import x509
from cryptography.x509.oid import NameOID

from registrar.cli import main
from registrar.config.key_generation import new_token, new_webhook_secret
from tests.certificates import DAY, ELSEWHERE, certificate

TOKEN = new_token()


class Receiver(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.server.seen.append(self.headers["Authorization"])  # type: ignore[attr-defined]
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"models": [], "next": null}')

    def log_message(self, *_: object) -> None:
        pass


class Server(HTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Receiver)
        self.seen: list[str] = []

    def handle_error(self, *_: object) -> None:
        pass  # whoever does not trust it hangs up


@contextmanager
def serving(file: Path | None) -> Iterator[tuple[str, list[str]]]:
    """Its address, and the logins that were shown to it. file: None speaks no TLS."""
    server = Server()
    if file:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield f"https://127.0.0.1:{server.server_port}", server.seen
    server.shutdown()
    server.server_close()


def asked(url: str, *command: str, **given: str) -> Result:
    environment = {"REGISTRAR_TOKEN": TOKEN, "REQUESTS_CA_BUNDLE": "", **given}
    return CliRunner().invoke(main, ["--url", url, *(command or ("models",))], env=environment)


def test_what_is_trusted_is_asked_and_the_token_goes_there(tmp_path):
    certificate(tmp_path / "own.pem")
    with serving(tmp_path / "own.pem") as (url, seen):
        answer = asked(
            url, "models", "--json", REQUESTS_CA_BUNDLE=str(tmp_path / "own.pem"), HTTPS_PROXY="http://127.0.0.1:9"
        )
    assert (answer.exit_code, answer.stdout, seen) == (0, "[]\n", [f"Bearer {TOKEN}"]), answer.output


NOBODY = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "nobody")])
UNTRUSTED: dict[str, tuple[Callable[[Path], None], bool, str]] = {
    "self-signed": (certificate, False, "REQUESTS_CA_BUNDLE names the file"),
    "nobody vouches": (lambda file: certificate(file, issuer=NOBODY), False, "REQUESTS_CA_BUNDLE names the file"),
    "expired": (lambda file: certificate(file, until=-DAY), True, "certificate has expired"),
    "another's": (lambda file: certificate(file, name=ELSEWHERE), True, "is not valid for"),
}


@pytest.mark.parametrize(("make", "trusted", "said"), UNTRUSTED.values(), ids=UNTRUSTED)
def test_what_is_not_trusted_is_a_sentence_and_sees_no_token(tmp_path, make, trusted, said):
    file = tmp_path / "own.pem"
    make(file)
    signed = ("send", "training_run.failed", "model=taxi", "--secret", f"file:{tmp_path / 'whsec'}")
    (tmp_path / "whsec").write_text(new_webhook_secret())
    with serving(file) as (url, seen):
        for command in (("models",), ("promotions", "approve", "taxi", "1"), signed):
            answer = asked(url, *command, **({"REQUESTS_CA_BUNDLE": str(file)} if trusted else {}))
            assert (answer.exit_code, answer.stdout, answer.stderr.count("\n")) == (3, "", 1), answer.output
            assert f"certificate of {url}" in answer.stderr
            assert "does not verify" in answer.stderr
            assert said in answer.stderr
    assert seen == []


def test_a_port_that_speaks_no_tls_is_said_to(tmp_path):
    with serving(None) as (url, seen):
        answer = asked(url)
    assert (answer.exit_code, answer.stderr, seen) == (
        3,
        f"registrar: {url} speaks no TLS; is it http://, or another port?\n",
        [],
    )


def test_a_bundle_that_is_no_file_is_said(tmp_path):
    answer = asked("https://127.0.0.1:9", REQUESTS_CA_BUNDLE=str(tmp_path / "none.pem"))
    assert (answer.exit_code, answer.stderr.count("\n")) == (3, 1)
    assert "none.pem" in answer.stderr
