"""Sealed texts and marks, and what becomes of them while the key is exchanged."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography.fernet import Fernet

from registrar.config.encryption import REPLY, SIGNING_IN, DecryptionError, Encryptor
from registrar.config.key_generation import new_key

OLD, NEW = new_key(), new_key()
CONTENT = {"press": "promotion.approve", "model": "taxi"}


@pytest.mark.parametrize("by", [OLD, f"{OLD},{NEW}"], ids=["old", "old and new"])
@pytest.mark.parametrize(
    "key",
    [OLD, f"{NEW},{OLD}", f" {NEW} , {OLD} ", f"{OLD},{NEW}"],
    ids=["old", "new and old", "with spaces", "old and new"],
)
def test_what_either_key_made_is_believed(by: str, key: str):
    assert Encryptor(key).decrypt(Encryptor(by).encrypt(CONTENT, audience="a"), audience="a") == CONTENT
    assert Encryptor(key).verify_mac(CONTENT, Encryptor(by).mac(CONTENT, audience="a"), audience="a")


def test_the_first_key_makes_so_the_second_can_be_dropped():
    made = Encryptor(f"{NEW},{OLD}")
    assert Encryptor(NEW).decrypt(made.encrypt(CONTENT, audience="a"), audience="a") == CONTENT
    assert Encryptor(NEW).verify_mac(CONTENT, made.mac(CONTENT, audience="a"), audience="a")
    with pytest.raises(DecryptionError):
        Encryptor(OLD).decrypt(made.encrypt(CONTENT, audience="a"), audience="a")


def test_what_a_dropped_key_made_is_void():
    with pytest.raises(DecryptionError):
        Encryptor(NEW).decrypt(Encryptor(OLD).encrypt(CONTENT, audience="a"), audience="a")
    assert not Encryptor(NEW).verify_mac(CONTENT, Encryptor(OLD).mac(CONTENT, audience="a"), audience="a")
    assert not Encryptor(NEW).verify_mac(
        {**CONTENT, "model": "other"}, Encryptor(NEW).mac(CONTENT, audience="a"), audience="a"
    )


@pytest.mark.parametrize(("made_for", "opened_as"), [("a", "b"), ("a", REPLY), (REPLY, "a"), (REPLY, SIGNING_IN)])
def test_what_was_made_for_one_audience_is_nothing_to_another(made_for: str, opened_as: str):
    encryptor = Encryptor(f"{NEW},{OLD}")
    with pytest.raises(DecryptionError, match="another use"):
        encryptor.decrypt(encryptor.encrypt(CONTENT, audience=made_for), audience=opened_as)
    assert not encryptor.verify_mac(CONTENT, encryptor.mac(CONTENT, audience=made_for), audience=opened_as)


def test_of_what_was_sealed_before_there_were_audiences_only_addresses_are_opened():
    before = Fernet(OLD).encrypt(b'{"url": "https://hooks.slack.com/x"}').decode()
    assert Encryptor(f"{NEW},{OLD}").decrypt(before, audience=REPLY) == {"url": "https://hooks.slack.com/x"}
    for audience in ("button", SIGNING_IN):
        with pytest.raises(DecryptionError):
            Encryptor(OLD).decrypt(before, audience=audience)


def test_an_age_counts_under_either_key():
    sealed = Encryptor(OLD).encrypt(CONTENT, audience="a")
    later = datetime.now(UTC) + timedelta(hours=1)
    assert Encryptor(f"{NEW},{OLD}").decrypt(sealed, audience="a", max_age=7200, at=later) == CONTENT
    with pytest.raises(DecryptionError):
        Encryptor(f"{NEW},{OLD}").decrypt(sealed, audience="a", max_age=60, at=later)


@pytest.mark.parametrize(
    "key",
    ["", "hunter2", f"{NEW},", f"{NEW},hunter2", f"{NEW},{OLD},{new_key()}"],
    ids=["none", "a word", "one and nothing", "one and a word", "three"],
)
def test_anything_else_is_no_key(key: str):
    with pytest.raises(ValueError, match="REGISTRAR_SECRET_KEY") as refused:
        Encryptor(key)
    assert "hunter2" not in str(refused.value)
    assert NEW not in str(refused.value)
