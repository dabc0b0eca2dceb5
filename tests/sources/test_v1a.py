"""Standard Webhooks v1a: signed by ed25519, verified with a public key: what the receiver holds can forge nothing."""

import base64
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from registrar.http import signing
from webhooks.ingress.errors import BadSignature
from webhooks.ingress.source_types import Verified
from webhooks.signatures.schemes import STANDARD_WEBHOOKS
from webhooks.signatures.verifier import WeakSecret, check_secret, verify

# https://github.com/svix/svix-webhooks/blob/main/server/svix-server/src/worker.rs (no library publishes one)
PUBLIC = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="
SIGNATURE = "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg=="
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = b'{"test": 2432232314}'
AT = datetime.fromtimestamp(1614265330, UTC)
HEADERS = {"webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek", "webhook-timestamp": "1614265330"}


def check(*secrets: str, signature: str = SIGNATURE, body: bytes = BODY) -> Verified:
    headers = {**HEADERS, "webhook-signature": signature}
    return verify(STANDARD_WEBHOOKS, headers=headers, body=body, secrets=secrets, now=AT, tolerance=300)


def test_the_published_vector_verifies():
    assert check(PUBLIC).delivery_id == HEADERS["webhook-id"]


def test_it_verifies_beside_a_secret_while_one_is_rotated_into_the_other():
    v1 = signing.standard_webhooks(SECRET, id=HEADERS["webhook-id"], timestamp=AT, body=BODY)["webhook-signature"]
    assert check(SECRET, PUBLIC, signature=SIGNATURE).secret_index == 1
    assert check(SECRET, PUBLIC, signature=f"{SIGNATURE} {v1}").secret_index == 0
    assert check(PUBLIC, signature=f"{v1} {SIGNATURE}").secret_index == 0


@given(st.binary(max_size=2000))
def test_an_independent_signer_agrees_on_any_body(body: bytes):
    private = Ed25519PrivateKey.generate()
    signed = f"{HEADERS['webhook-id']}.{HEADERS['webhook-timestamp']}.".encode() + body
    signature = "v1a," + base64.b64encode(private.sign(signed)).decode()
    check("whpk_" + base64.b64encode(private.public_key().public_bytes_raw()).decode(), signature=signature, body=body)


def test_a_mac_made_with_the_public_keys_bytes_is_no_signature():
    forged = signing.standard_webhooks(
        PUBLIC.replace("whpk_", "whsec_"), id=HEADERS["webhook-id"], timestamp=AT, body=BODY
    )["webhook-signature"]
    for signature in (forged, forged.replace("v1,", "v1a,")):
        with pytest.raises(BadSignature):
            check(PUBLIC, signature=signature)


@pytest.mark.parametrize(
    "signature",
    [SIGNATURE.replace("v1a,", "v1,"), "v1a,AAAA", "v1a,", "v1a,A", SIGNATURE[:-4] + "AAA=", SIGNATURE.lower()],
)
def test_anything_else_is_a_bad_signature(signature: str):
    with pytest.raises(BadSignature):
        check(PUBLIC, signature=signature)


def test_another_body_is_a_bad_signature():
    with pytest.raises(BadSignature):
        check(PUBLIC, body=BODY + b" ")


@pytest.mark.parametrize("secret", ["whpk_", "whpk_AAAA", "whpk_not base64", PUBLIC[:-1]])
def test_a_malformed_public_key_is_refused_at_start(secret: str):
    with pytest.raises(WeakSecret):
        check_secret(STANDARD_WEBHOOKS, secret)
