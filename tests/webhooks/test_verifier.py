"""Published vectors, and signers that share no code with ours."""

import base64
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from slack_sdk.signature import Clock, SignatureVerifier
from standardwebhooks import Webhook

from registrar.http import signing
from webhooks.ingress.errors import BadSignature, StaleTimestamp
from webhooks.signatures.schemes import DISCORD, SLACK, STANDARD_WEBHOOKS, Scheme
from webhooks.signatures.verifier import WeakSecret, check_secret, sign, verify

# standard-webhooks' own test, and Slack's "Verifying requests from Slack"
STANDARD_SECRET, STANDARD_ID, STANDARD_AT = (
    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "msg_p5jXN8AQM9LWM0D4loKWxJek",
    1614265330,
)
STANDARD_BODY, STANDARD_MADE = b'{"test": 2432232314}', "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
SLACK_SECRET, SLACK_AT = "8f742231b10e8888abcd99yyyzzz85a5", 1531420618
SLACK_BODY = (
    b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar"
    b"&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com"
    b"%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
    b"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
)
SLACK_MADE = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
IDS = st.text("abcXYZ019_-", min_size=1, max_size=40)
KEYS = st.binary(min_size=24, max_size=64).map(lambda key: "whsec_" + base64.b64encode(key).decode())
TIMES = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)).map(lambda at: at.replace(microsecond=0, tzinfo=UTC))


def moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def standard(signature: str, *, secrets: tuple[str, ...] = (STANDARD_SECRET,), **headers: str):
    sent = {"webhook-id": STANDARD_ID, "webhook-timestamp": str(STANDARD_AT), "webhook-signature": signature, **headers}
    return check(STANDARD_WEBHOOKS, sent, STANDARD_BODY, *secrets, at=moment(STANDARD_AT))


def check(scheme: Scheme, headers: dict[str, str], body: bytes, *secrets: str, at: datetime):
    lower = {name.lower(): value for name, value in headers.items()}
    return verify(scheme, headers=lower, body=body, secrets=secrets, now=at, tolerance=300)


def test_the_published_standard_webhooks_vector_verifies():
    assert standard(STANDARD_MADE).delivery_id == STANDARD_ID


def test_the_published_slack_vector_verifies():
    headers = {"X-Slack-Signature": SLACK_MADE, "X-Slack-Request-Timestamp": str(SLACK_AT)}
    assert check(SLACK, headers, SLACK_BODY, SLACK_SECRET, at=moment(SLACK_AT)).delivery_id is None


def test_our_signers_make_the_published_vectors():
    made = signing.standard_webhooks(STANDARD_SECRET, id=STANDARD_ID, timestamp=moment(STANDARD_AT), body=STANDARD_BODY)
    assert made["webhook-signature"] == STANDARD_MADE
    assert signing.slack(SLACK_SECRET, timestamp=moment(SLACK_AT), body=SLACK_BODY)["X-Slack-Signature"] == SLACK_MADE


@given(secret=KEYS, id=IDS, at=TIMES, text=st.text())
def test_what_the_standardwebhooks_package_signs_verifies(secret: str, id: str, at: datetime, text: str):
    signature = Webhook(secret).sign(id, at, text)
    headers = {"webhook-id": id, "webhook-timestamp": str(int(at.timestamp())), "webhook-signature": signature}
    assert check(STANDARD_WEBHOOKS, headers, text.encode(), secret, at=at).delivery_id == id


@given(secret=KEYS, id=IDS, at=TIMES, body=st.binary())
def test_what_we_sign_by_standard_webhooks_verifies(secret: str, id: str, at: datetime, body: bytes):
    headers = signing.standard_webhooks(secret, id=id, timestamp=at, body=body)
    assert check(STANDARD_WEBHOOKS, headers, body, secret, at=at).delivery_id == id


@given(secret=st.text("abcdef0123456789", min_size=16), at=TIMES, body=st.text())
def test_slacks_package_agrees_with_our_verifier_and_our_signer(secret: str, at: datetime, body: str):
    theirs = SignatureVerifier(secret, Frozen(at))
    timestamp = str(int(at.timestamp()))
    made = theirs.generate_signature(timestamp=timestamp, body=body)
    headers = {"X-Slack-Signature": str(made), "X-Slack-Request-Timestamp": timestamp}
    check(SLACK, headers, body.encode(), secret, at=at)
    assert theirs.is_valid_request(body, signing.slack(secret, timestamp=at, body=body.encode()))


class Frozen(Clock):
    def __init__(self, at: datetime) -> None:
        self._at = at

    def now(self) -> float:
        return self._at.timestamp()


@given(header=st.text(), id=st.text(), timestamp=st.text())
def test_no_header_is_anything_but_a_bad_signature(header: str, id: str, timestamp: str):
    for sent in ({"webhook-signature": header}, {"webhook-id": id}, {"webhook-timestamp": timestamp}):
        if not set(sent.values()) & {STANDARD_ID, str(STANDARD_AT)}:
            with pytest.raises(BadSignature):
                standard(**{"signature": STANDARD_MADE, **sent})


def test_a_list_verifies_by_any_of_its_signatures_and_other_versions_are_passed_over():
    assert standard(f"v1a,AAAA v1,AAAA {STANDARD_MADE}").delivery_id == STANDARD_ID


@pytest.mark.parametrize(
    "header",
    [
        STANDARD_MADE.removeprefix("v1,"),
        STANDARD_MADE.replace("v1,", "v1a,"),
        STANDARD_MADE.replace("v1,", "v2,"),
        STANDARD_MADE.replace("v1,", "V1,"),
        STANDARD_MADE.replace("v1,", "v1="),
        STANDARD_MADE.rstrip("="),
        STANDARD_MADE + "=",
        STANDARD_MADE + " ",
        f"v1,AAAA, {STANDARD_MADE}",
        f"{STANDARD_MADE},{STANDARD_MADE}",
        " ".join([STANDARD_MADE] * 9),
    ],
)
def test_a_signature_in_another_form_does_not_verify(header: str):
    with pytest.raises(BadSignature):
        standard(header)


@pytest.mark.parametrize(("count", "taken"), [(8, True), (9, False)])
def test_a_header_holds_eight_signatures_at_most(count: int, taken: bool):
    header = " ".join([*(f"v1,AAA{digit}" for digit in range(1, count)), STANDARD_MADE])
    if taken:
        assert standard(header).delivery_id == STANDARD_ID
    else:
        with pytest.raises(BadSignature):
            standard(header)


@pytest.mark.parametrize(("late", "says"), [(301, "301 seconds ago, and 300"), (-301, "301 seconds in the future")])
def test_a_time_may_be_off_by_the_tolerance_and_no_more(late: int, says: str):
    headers = {"X-Slack-Signature": SLACK_MADE, "X-Slack-Request-Timestamp": str(SLACK_AT)}
    check(SLACK, headers, SLACK_BODY, SLACK_SECRET, at=moment(SLACK_AT + late - (1 if late > 0 else -1)))
    with pytest.raises(StaleTimestamp) as caught:
        check(SLACK, headers, SLACK_BODY, SLACK_SECRET, at=moment(SLACK_AT + late))
    assert says in caught.value.detail


@pytest.mark.parametrize("id", ["evt:1/2", "YWJj+/8=", "{6f1c2a5e-3f5b}", "a~b|c", "x" * 256])
def test_an_id_may_be_of_any_visible_characters_but_dots_and_commas(id: str):
    made = signing.standard_webhooks(STANDARD_SECRET, id=id, timestamp=moment(STANDARD_AT), body=STANDARD_BODY)
    assert standard(made["webhook-signature"], **{"webhook-id": id}).delivery_id == id


@pytest.mark.parametrize("id", ["", "a.b", "a,b", "a b", "a\x00", "\u00e9", "x" * 257])
def test_any_other_id_is_a_bad_signature(id: str):
    made = signing.standard_webhooks(STANDARD_SECRET, id=id, timestamp=moment(STANDARD_AT), body=STANDARD_BODY)
    with pytest.raises(BadSignature):
        standard(made["webhook-signature"], **{"webhook-id": id})


def test_a_dot_in_the_id_can_not_move_the_boundary():
    """Signed are "msg.1614265330" + "." + timestamp + "." + body: the same bytes as another id, timestamp and body."""
    made = signing.standard_webhooks(STANDARD_SECRET, id="msg", timestamp=moment(STANDARD_AT), body=b"1614265330.{}")
    forged = {**made, "webhook-id": f"msg.{STANDARD_AT}"}
    with pytest.raises(BadSignature):
        check(STANDARD_WEBHOOKS, forged, b"{}", STANDARD_SECRET, at=moment(STANDARD_AT))


def test_either_of_two_live_secrets_verifies_and_the_index_says_which():
    other = "whsec_" + "b2xk" * 8
    assert standard(STANDARD_MADE, secrets=(STANDARD_SECRET, other)).secret_index == 0
    assert standard(STANDARD_MADE, secrets=(other, STANDARD_SECRET)).secret_index == 1
    with pytest.raises(BadSignature):
        standard(STANDARD_MADE, secrets=(other,))


@pytest.mark.parametrize(
    ("scheme", "secret", "why"),
    [
        (STANDARD_WEBHOOKS, "whsec_" + base64.b64encode(b"k" * 23).decode(), "at least 24"),
        (STANDARD_WEBHOOKS, base64.b64encode(b"k" * 32).decode(), "starts with whsec_"),
        (STANDARD_WEBHOOKS, "whsec_not base64!", "not base64"),
        (STANDARD_WEBHOOKS, STANDARD_SECRET[:20] + "!" + STANDARD_SECRET[20:], "not base64"),
        (SLACK, "k" * 15, "has 15 bytes; at least 16"),
        (DISCORD, "k" * 64, "not hexadecimal"),
        (DISCORD, "ab" * 31, "has 32 bytes"),
    ],
)
def test_a_weak_secret_is_refused_with_its_reason(scheme: Scheme, secret: str, why: str):
    with pytest.raises(WeakSecret, match=why):
        check_secret(scheme, secret)


def test_a_secret_of_the_least_length_is_taken():
    check_secret(SLACK, "k" * 16)
    check_secret(STANDARD_WEBHOOKS, "whsec_" + base64.b64encode(b"k" * 24).decode())


def test_a_private_key_that_is_too_short_can_not_sign():
    short = "whsk_" + base64.b64encode(b"k" * 31).decode()
    with pytest.raises(WeakSecret, match="private key has 32 bytes"):
        sign(STANDARD_WEBHOOKS, short, body=b"", id="msg", now=moment(STANDARD_AT))
