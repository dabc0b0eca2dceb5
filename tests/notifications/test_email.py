"""email: over real SMTP, plain, with STARTTLS, and with TLS from the start."""

import datetime as dt
import email as mime
import ipaddress
import ssl
from dataclasses import replace
from email.policy import default
from urllib.parse import quote

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from registrar.policy import plugin_options
from tests.notifications.mailbox import PASSWORD, USER
from tests.notifications.samples import ASKED, ENCRYPTOR, LIVE, MOVED, expected, notice
from worker.notifications.notifiers import email
from worker.notifications.transport import smtp
from worker.registry.protocol import PermanentError, RetryableError

GIVEN = {"from": "Registrar <registrar@example.com>", "to": ["ml@example.com", "Bob <bob@example.com>"]}
OPEN = {**GIVEN, "starttls": False}


def send(url, fact=MOVED, given=OPEN):
    email.post(notice(fact, url=url, secret=None, **given), requests.Session(), ENCRYPTOR)


def with_login(url, scheme="smtp"):
    return url.replace("smtp://", f"{scheme}://{quote(USER, safe='')}:{quote(PASSWORD, safe='')}@")


@pytest.fixture
def trusted(mailbox, tmp_path, monkeypatch):
    """The mailbox has a certificate for 127.0.0.1, and this machine believes in it."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mail.example.com")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (tmp_path / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private = serialization.PrivateFormat.PKCS8
    (tmp_path / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, private, serialization.NoEncryption())
    )
    mailbox.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    mailbox.tls.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
    return mailbox


@pytest.mark.parametrize(("case", "fact"), [("moved", MOVED), ("asked", ASKED)])
def test_the_exact_mail(case, fact, mailbox):
    send(mailbox.url, fact)
    [(sender, to, content)] = mailbox.mails
    assert content.decode().split("\r\n") == expected(f"email__{case}")
    assert sender.startswith("mail FROM:<registrar@example.com>")
    assert to == ["ml@example.com", "bob@example.com"]


def test_a_second_attempt_is_the_same_mail(mailbox):
    send(mailbox.url)
    send(mailbox.url)
    assert mailbox.mails[0] == mailbox.mails[1]
    assert b"Message-ID: <tsk_1@example.com>" in mailbox.mails[0][2]


def test_no_name_makes_a_header_or_ends_the_mail(mailbox):
    text = "taxi\r\nBcc: eve@example.com\r\n.\r\nMAIL FROM:<eve@example.com>\x07 \N{RIGHT-TO-LEFT OVERRIDE}ünï"
    send(mailbox.url, replace(MOVED, text=text))
    [(_, to, content)] = mailbox.mails
    mail = mime.message_from_bytes(content, policy=default)
    assert mail["Bcc"] is None
    assert to == ["ml@example.com", "bob@example.com"]
    said = "taxi Bcc: eve@example.com . MAIL FROM:<eve@example.com>\\x07 \\u202eünï"
    assert " ".join(mail["Subject"].split()) == said  # Python folds it with a second blank
    assert mail.get_content().splitlines()[0] == said
    assert mail.get_content_type() == "text/plain"


def test_a_line_with_only_a_dot_stays_a_line(mailbox):
    send(mailbox.url, replace(LIVE, text="."))
    assert mime.message_from_bytes(mailbox.mails[0][2], policy=default).get_content().splitlines()[0] == "."


def test_a_password_goes_by_starttls(trusted):
    send(with_login(trusted.url), given=GIVEN)
    assert len(trusted.mails) == 1
    assert trusted.logins == [(USER, PASSWORD)]
    assert trusted.heard.index("STARTTLS") < trusted.heard.index("AUTH")


def test_a_password_goes_by_tls_from_the_start(trusted):
    trusted.from_the_start = True
    send(with_login(trusted.url, "smtps"), given=GIVEN)
    assert len(trusted.mails) == 1
    assert trusted.logins == [(USER, PASSWORD)]
    assert "STARTTLS" not in trusted.heard


def test_a_server_that_nobody_vouches_for_gets_nothing(trusted, monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(RetryableError, match="SSLCertVerificationError"):
        send(with_login(trusted.url), given=GIVEN)
    assert trusted.logins == trusted.mails == []


def test_a_server_without_starttls_gets_nothing_where_it_is_asked_for(mailbox):
    with pytest.raises(PermanentError, match="no STARTTLS"):
        send(with_login(mailbox.url), given=GIVEN)
    assert mailbox.logins == mailbox.mails == []


def test_no_password_goes_to_another_machine_in_the_open(mailbox, monkeypatch):
    monkeypatch.setattr(smtp, "is_loopback", lambda host: False)
    with pytest.raises(PermanentError, match="a password does not go"):
        send(with_login(mailbox.url))
    assert mailbox.logins == mailbox.mails == []


@pytest.mark.parametrize("at", ["CONNECT", "MAIL", "RCPT", "END", "AUTH"])
@pytest.mark.parametrize(
    ("code", "fate"), [(421, RetryableError), (450, RetryableError), (550, PermanentError), (554, PermanentError)]
)
def test_4xx_may_work_later_and_5xx_will_not(at, code, fate, mailbox):
    mailbox.answers[at] = f"{code} s3cret words"
    with pytest.raises(fate, match=str(code)) as error:
        send(with_login(mailbox.url))
    assert mailbox.mails == []
    for secret in ("hunter2", "s3cret", USER, "bob@example.com"):
        assert secret not in str(error.value)


def test_a_wrong_password_is_final_and_says_where_to_look(mailbox):
    with pytest.raises(PermanentError, match="refused the login with 535: look at the channel's url") as error:
        send(with_login(mailbox.url).replace("hunter2", "hunter3"))
    assert "hunter3" not in str(error.value)


def test_one_recipient_of_two_refused_is_told_and_not_sent_again_to_the_other(mailbox):
    mailbox.answers["bob@example.com"] = "450 try later"
    with pytest.raises(PermanentError, match="refused 1 of the recipients with 450; the others have the mail"):
        send(mailbox.url)
    assert len(mailbox.mails) == 1


def test_how_they_part_is_no_matter(mailbox):
    mailbox.answers["QUIT"] = "500 what?"
    send(mailbox.url)
    assert len(mailbox.mails) == 1


def test_a_server_that_is_down_is_retryable_and_no_password_is_told():
    with pytest.raises(RetryableError, match=r"127\.0\.0\.1 does not take the mail") as error:
        send("smtp://ada:hunter2@127.0.0.1:9")
    assert "hunter2" not in str(error.value)


def test_a_server_that_trickles_is_left(mailbox, monkeypatch):
    monkeypatch.setattr(smtp, "SECONDS", 0.3)
    monkeypatch.setattr(smtp, "TIMEOUT", 5.0)
    mailbox.answers["CONNECT"] = "220-wait\r\n220-wait"  # and no end
    with pytest.raises(RetryableError):
        send(mailbox.url)


@pytest.mark.parametrize(
    "url", [None, "", "hunter2", "http://hunter2@x", "smtp://:hunter2@", "smtp://x:hunter2", "smtp:"]
)
def test_what_is_no_mail_server_is_final_and_not_told(url):
    with pytest.raises(PermanentError, match="smtp://USER:PASSWORD@HOST:PORT") as error:
        send(url)
    assert "hunter2" not in str(error.value)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"from": "a@example.com"},
        {"from": "a@example.com", "to": []},
        {"from": "a@example.com", "to": ["b"]},
        {"from": "a@example.com", "to": ["b@example.com, c@example.com"]},
        {"from": "a@example.com", "to": ["b@example.com\r\nBcc: c@example.com"]},
        {"from": "A\r\nBcc: c@example.com <a@example.com>", "to": ["b@example.com"]},
        {"from": "a@example.com", "to": ["b@example.com"], "subject": "x"},
    ],
)
def test_options_that_cannot_work_are_refused(given):
    with pytest.raises(plugin_options.BadOptions):
        plugin_options.read(email, given)
