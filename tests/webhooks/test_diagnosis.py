"""Each usual mistake, made by a sender, is named as that mistake; and no secret is ever shown."""

import base64
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from click.testing import CliRunner

from registrar.cli import main
from registrar.config.key_generation import new_webhook_secret
from registrar.ledger import rejections
from tests.cli.conftest import data, record, run  # noqa: F401 (fixtures)
from tests.sources.captured import captures, read, sender
from webhooks.ingress.source_registry import OpenSource
from webhooks.ingress.source_types import Request
from webhooks.signatures.configurable import Hmac
from webhooks.signatures.diagnosis.diagnose import diagnose, usual_causes
from webhooks.signatures.schemes import Scheme
from webhooks.signatures.source_signing import scheme_of

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
BODY = json.dumps({"b": 1, "a": "\u00e9", "list": [1, 2]}).encode()
SECRETS = {
    "standard": "whsec_" + base64.b64encode(b"a key of thirty-two bytes, no less").decode(),
    "github": "It's a Secret to Everybody",
    "slack": "8f742231b10e8888abcd99fff888aaa5",
    "teams": base64.b64encode(b"another key of thirty-two bytes!").decode(),
}
KINDS = list(SECRETS)


def who(kind: str, *more: str) -> OpenSource:
    found, _ = sender(kind)
    return replace(found, context=replace(found.context, secrets=(SECRETS[kind], *more)))


def scheme(kind: str) -> Scheme:
    found = scheme_of(who(kind))
    assert found
    return found


def right_key(kind: str) -> bytes:
    secret = SECRETS[kind].removeprefix("whsec_")
    return base64.b64decode(secret) if scheme(kind).key != "raw" else secret.encode()


@dataclass
class Signs:
    """A sender that does all as its kind should, but for what a test changes."""

    kind: str
    key: bytes = b""
    template: str = ""
    digest: str = "sha256"
    body: bytes = BODY
    signed_body: bytes | None = None
    timestamp: str = str(int(NOW.timestamp()))
    signed_timestamp: str | None = None
    encode: Callable[[bytes], str] | None = None
    prefix: str | None = None
    headers: dict[str, str] = field(default_factory=dict)

    def request(self) -> Request:
        how = scheme(self.kind)
        before, after = (self.template or how.signed).split("{body}")
        at = self.timestamp if self.signed_timestamp is None else self.signed_timestamp
        signed = self.body if self.signed_body is None else self.signed_body
        message = before.format(id="msg_1", timestamp=at).encode() + signed + after.encode()
        mac = hmac.digest(self.key or right_key(self.kind), message, self.digest)
        encode = self.encode or (bytes.hex if how.encoding == "hex" else lambda raw: base64.b64encode(raw).decode())
        headers = {how.signature_header: (how.prefix if self.prefix is None else self.prefix) + encode(mac)}
        if how.timestamp_header:
            headers[how.timestamp_header] = self.timestamp
        if how.id_header:
            headers[how.id_header] = "msg_1"
        return Request({**headers, **self.headers}, self.body, "application/json", NOW)


def told(signs: Signs, *more: str) -> str:
    said = "\n".join(diagnose(who(signs.kind, *more), signs.request()))
    for secret in (SECRETS[signs.kind], *more):
        assert secret not in said
        assert secret.removeprefix("whsec_") not in said
    return said


@pytest.mark.parametrize("kind", KINDS)
def test_a_good_signature_is_good(kind: str):
    assert told(Signs(kind)) == "the signature is good"


@pytest.mark.parametrize("kind", KINDS)
def test_the_older_secrets_signature_is_good_too(kind: str):
    other = new_webhook_secret() if kind == "standard" else base64.b64encode(b"x" * 32).decode()
    assert told(Signs(kind), other) == "the signature is good"


MISTAKES: list[tuple[str, dict[str, Any], str]] = [
    ("signed_body", {"signed_body": json.dumps(json.loads(BODY), separators=(",", ":")).encode()}, "as compact JSON"),
    ("sorted", {"signed_body": json.dumps(json.loads(BODY), sort_keys=True).encode()}, "with blanks, its keys sorted"),
    ("indented", {"signed_body": json.dumps(json.loads(BODY), indent=2).encode()}, "as indented JSON"),
    ("unescaped", {"signed_body": json.dumps(json.loads(BODY), ensure_ascii=False).encode()}, "as JSON with blanks"),
    ("newline", {"body": BODY + b"\n", "signed_body": BODY}, "a line break was added to its end"),
    ("newline lost", {"signed_body": BODY + b"\n"}, "a line break at its end that it does not send"),
    ("CRLF", {"body": b'{\r\n"a": 1\r\n}', "signed_body": b'{\n"a": 1\n}'}, "its line breaks became CRLF"),
    ("LF", {"body": b'{\n"a": 1\n}', "signed_body": b'{\r\n"a": 1\r\n}'}, "its CRLF line breaks became LF"),
    ("wrapped", {"body": b'{"a":\n 1}', "signed_body": b'{"a": 1}'}, "line breaks were added"),
    ("empty", {"signed_body": b""}, "signs an empty body"),
    ("SHA-1", {"digest": "sha1"}, "the sender uses HMAC-SHA1; here it is HMAC-SHA256"),
    ("SHA-512", {"digest": "sha512"}, "the sender uses HMAC-SHA512"),
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("changed", "says"), [pytest.param(c, s, id=name) for name, c, s in MISTAKES])
def test_a_mistake_in_the_body_or_the_digest_is_named(kind: str, changed: dict[str, Any], says: str):
    said = told(Signs(kind, **changed))
    assert says in said
    assert said.count("\n") == 0


@pytest.mark.parametrize("kind", ["github", "slack"])
def test_a_key_that_was_decoded_though_it_is_text_is_named(kind: str):
    if kind == "github":
        return_key, says = (SECRETS[kind] + "\n").encode(), "ends in a line break"
    else:
        return_key, says = bytes.fromhex(SECRETS[kind]), "decodes the secret as hexadecimal first"
    assert says in told(Signs(kind, key=return_key))


@pytest.mark.parametrize(
    ("kind", "key", "says"),
    [
        ("standard", SECRETS["standard"].encode(), "signs with the secret's text as it is; here the key is the text"),
        ("standard", SECRETS["standard"][6:].encode(), "signs with the text after whsec_"),
        ("teams", SECRETS["teams"].encode(), "as it is; here the key is the secret decoded from base64"),
        ("slack", (SECRETS["slack"] + " ").encode(), "ends in a blank"),
        ("slack", (SECRETS["slack"] + "\r\n").encode(), "ends in a line break"),
        ("slack", f'"{SECRETS["slack"]}"'.encode(), "has quotes around it"),
        ("slack", f"'{SECRETS['slack']}'".encode(), "has quotes around it"),
        (
            "slack",
            base64.b64decode(SECRETS["slack"]),
            "decodes the secret as base64 first; here the key is the secret's",
        ),
    ],
)
def test_a_secret_in_another_form_is_named(kind: str, key: bytes, says: str):
    assert says in told(Signs(kind, key=key))


@pytest.mark.parametrize("kind", ["standard", "slack"])
@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"template": "{body}"}, "the sender signs {body}; here"),
        ({"template": "{timestamp}.{body}"}, "the sender signs {timestamp}.{body}; here"),
        ({"signed_timestamp": f"{int(NOW.timestamp())}000"}, "signs milliseconds and sends seconds"),
    ],
)
def test_another_scheme_or_unit_of_time_is_named(kind: str, changed: dict[str, Any], says: str):
    assert says in told(Signs(kind, **changed))


@pytest.mark.parametrize("template", ["v0:{timestamp}:{body}", "{timestamp}{body}"])
def test_another_products_scheme_is_named(template: str):
    assert f"the sender signs {template}; here {{id}}" in told(Signs("standard", template=template))


@pytest.mark.parametrize("kind", ["standard", "slack"])
def test_milliseconds_that_are_sent_where_seconds_are_signed_are_named(kind: str):
    seconds = str(int(NOW.timestamp()))
    said = told(Signs(kind, timestamp=seconds + "123", signed_timestamp=seconds))
    assert "signs seconds and sends milliseconds" in said


def test_a_body_that_no_encoding_has_is_diagnosed_too():
    assert "another secret" in told(Signs("slack", body=b'{"a": "\\ud800"}', key=b"another key altogether"))


@pytest.mark.parametrize("end", [b" ", b"X"])
def test_a_line_break_that_was_added_is_told_from_what_stands_before_it(end: bytes):
    said = told(Signs("github", body=b"model=taxi" + end + b"\r\n", signed_body=b"model=taxi" + end))
    assert "a line break was added to its end" in said


def test_a_secret_that_is_hexadecimal_and_no_base64_is_tried_as_what_it_is():
    secret = "ab" * 17
    signer = replace(who("slack"), context=replace(who("slack").context, secrets=(secret,)))
    said = "\n".join(diagnose(signer, Signs("slack", key=bytes.fromhex(secret)).request()))
    assert "decodes the secret as hexadecimal first" in said


def test_three_mistakes_at_once_are_no_longer_usual():
    key = SECRETS["standard"].encode()
    two = told(Signs("standard", key=key, template="{body}"))
    assert "as it is; here the key is" in two
    assert "the sender signs {body}" in two
    assert "none of the usual mistakes" in told(Signs("standard", key=key, template="{body}", digest="sha1"))


def test_two_mistakes_are_both_named():
    said = told(Signs("slack", digest="sha512", signed_body=BODY + b"\n"))
    assert "HMAC-SHA512" in said
    assert "a line break at its end" in said


def in_base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def in_capitals(raw: bytes) -> str:
    return raw.hex().upper()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("encode", [bytes.hex, in_capitals, in_base64])
def test_the_right_signature_in_another_form_is_named(kind: str, encode: Callable[[bytes], str]):
    right = bytes.hex if scheme(kind).encoding == "hex" else in_base64
    said = told(Signs(kind, encode=encode))
    assert said == "the signature is good" if encode is right else "right, but in the wrong form: it should be" in said


def in_urlsafe_base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


@pytest.mark.parametrize("kind", KINDS)
def test_a_signature_in_the_base64_of_urls_is_told_by_its_bytes(kind: str):
    bodies = (f'{{"n":{n}}}'.encode() for n in range(1000))
    tried = (Signs(kind, body=body, encode=in_urlsafe_base64) for body in bodies)
    header = scheme(kind).signature_header
    signs = next(signs for signs in tried if {"-", "_"} <= set(signs.request().headers[header]))
    assert "right, but in the wrong form" in told(signs)


def test_a_signature_in_quotes_is_told_by_its_bytes():
    said = told(Signs("github", prefix='"sha256=', encode=lambda raw: raw.hex() + '"'))
    assert "right, but in the wrong form" in said


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"digest": "sha256"}, "it should be 64 hexadecimal digits"),
        ({"digest": "sha384"}, "it should be 96 hexadecimal digits"),
        ({"digest": "sha512", "prefix": "v1="}, "it should be 'v1=' and 128 hexadecimal digits"),
        ({"encoding": "base64"}, "it should be base64"),
    ],
)
def test_the_form_of_a_configured_signature_is_said(how: dict[str, Any], says: str):
    found, _ = sender("generic.bitbucket")
    options = found.context.options.model_copy(
        update={"verify": Hmac.model_validate({"how": "hmac", "header": "x-signature", **how})}
    )
    [sentence] = diagnose(
        replace(found, context=replace(found.context, options=options)),
        Request({"x-signature": "x"}, BODY, "application/json", NOW),
    )
    assert sentence.endswith(says + (" in lower case" if "hexadecimal" in says else ""))


def test_a_missing_prefix_is_named():
    assert "it should be 'sha256=' and 64 hexadecimal digits" in told(Signs("github", prefix=""))


def test_a_header_that_is_missing_is_named_and_so_is_whose_scheme_it_is_instead():
    request = Signs("github").request()
    said = "\n".join(diagnose(who("slack"), request))
    assert "the header x-slack-signature is missing" in said
    assert "signed like a github source's: is `kind: slack` right?" in said


def test_a_header_that_came_twice_is_named():
    stamp = str(int(NOW.timestamp()))
    assert "came more than once" in told(Signs("slack", headers={"x-slack-request-timestamp": f"{stamp},{stamp}"}))


@pytest.mark.parametrize(("hours", "says"), [(2, "made 7200 s before"), (-2, "made 7200 s after")])
def test_a_clock_that_is_off_is_named(hours: int, says: str):
    request = replace(Signs("standard").request(), received_at=NOW + timedelta(hours=hours))
    said = "\n".join(diagnose(who("standard"), request))
    assert said.startswith("the signature is good, but it was")
    assert says in said


@pytest.mark.parametrize(("seconds", "good"), [(300, True), (-300, True), (301, False), (-301, False)])
def test_a_clock_may_be_off_by_the_tolerance_and_no_more(seconds: int, good: bool):
    request = replace(Signs("standard").request(), received_at=NOW + timedelta(seconds=seconds))
    assert (diagnose(who("standard"), request) == ["the signature is good"]) is good


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_usual_mistake_is_said_to_be_another_secret(kind: str):
    said = told(Signs(kind, key=b"something else entirely, of any length"))
    assert "most likely the sender has another secret" in said
    assert f"(sources.{who(kind).context.name}.secrets)" in said


@pytest.mark.parametrize("value", ["", "nonsense", "v1,", "\u0661\udcff", "=" * 50, "a" * 10_000, "v0=zz"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_hostile_header_is_diagnosed_too(kind: str, value: str):
    request = Signs(kind).request()
    headers = {**request.headers, scheme(kind).signature_header: value}
    assert diagnose(who(kind), replace(request, headers=headers))


@pytest.mark.parametrize("digits", [11, 12, 13])
def test_a_time_beyond_the_calendar_is_diagnosed_too(digits: int):
    assert told(Signs("slack", timestamp="9" * digits))


@pytest.mark.parametrize("path", [pytest.param(path, id=f"{path.parent.name}/{path.stem}") for path in captures()])
def test_every_kinds_captured_requests_are_good(path):
    capture = read(path)
    assert diagnose(capture.sender, capture.request)[0] in ("the signature is good", "it verifies")


def test_on_the_command_line_a_captured_request_is_looked_at(data, run, tmp_path):  # noqa: F811
    secret = (data / "secrets" / "ci.whsec").read_text().strip()
    body = b'{"type":"x"}'
    mac = base64.b64encode(hmac.digest(secret.encode(), b"msg_1.1700000000." + body, "sha256")).decode()
    head = f"webhook-id: msg_1\r\nwebhook-timestamp: 1700000000\r\nwebhook-signature: v1,{mac}\r\n\r\n"
    (tmp_path / "failed.http").write_bytes(head.encode() + body)
    result = run("doctor", "--source", "ci", "--request", str(tmp_path / "failed.http"))
    assert result.exit_code == 0, result.output
    assert "ci: kind standard; its secret is in the right form" in result.output
    assert "signs with the secret's text as it is" in result.output
    assert secret not in result.output


def test_without_a_request_it_says_what_was_refused_and_how_to_find_out_more(run, record):  # noqa: F811
    with record.write() as connection:
        for code in ("bad_signature", "bad_signature", "stale_timestamp"):
            rejections.record(connection, source="ci", status=401, code=code, detail="the detail", size=1, at=NOW)
        rejections.record(connection, source="other", status=401, code="not_json", detail="not ci's", size=1, at=NOW)
    result = run("doctor", "--source", "ci")
    assert result.exit_code == 0, result.output
    assert "2 x bad_signature: the sender has another secret" in result.output
    assert "1 x stale_timestamp" in result.output
    assert "not ci's" not in result.output
    assert "does not answer" in result.output
    assert "registrar doctor --source ci --request FILE.http" in result.output


def test_the_most_frequent_refusal_comes_first_and_one_without_a_usual_cause_is_left_out():
    said = usual_causes({"stale_timestamp": 1, "no_such_code": 9, "bad_signature": 3, "too_large": 2})
    assert [line.partition(":")[0] for line in said] == ["3 x bad_signature", "2 x too_large", "1 x stale_timestamp"]


def test_a_source_that_is_not_there_is_said(run, record):  # noqa: F811
    result = run("doctor", "--source", "nobody")
    assert (result.exit_code, "no source 'nobody'" in result.output) == (2, True)


def test_it_is_listed_without_loading_anything():
    assert "doctor" in CliRunner().invoke(main, ["--help"]).output
