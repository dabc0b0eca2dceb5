"""Logins in addresses: what is shown has none, and a password that would be taken for a host is refused."""

import pytest

from registrar.config.credentials import Login, complaint, login, logins, without_login
from registrar.config.settings import Settings, SettingsError

GOOD = [
    ("redis://:pw@redis:6379/0", "redis://redis:6379/0", [Login("", "pw")]),
    ("postgresql+psycopg://u:p%40w@db:5432/x", "postgresql+psycopg://db:5432/x", [Login("u", "p@w")]),
    ("postgresql+psycopg://u@/x?host=/run/pg", "postgresql+psycopg:///x?host=/run/pg", [Login("u", "")]),
    ("sentinel://:a@h1:26379;sentinel://:b@h2:26379", "sentinel://h1:26379;sentinel://h2:26379", None),
    ("sqlite:////var/lib/a@b/ledger.db", "sqlite:////var/lib/a@b/ledger.db", []),
    ("http://mlflow:5000/a@b", "http://mlflow:5000/a@b", []),
    ("https://me:pw@mlflow.example.com/x", "https://mlflow.example.com/x", [Login("me", "pw")]),
]


@pytest.mark.parametrize(("url", "shown", "found"), GOOD)
def test_an_address_is_shown_without_its_login(url: str, shown: str, found: list[Login] | None):
    assert without_login(url) == shown
    assert logins(url) == (found if found is not None else [Login("", "a"), Login("", "b")])
    assert login(url) == next(iter(logins(url)), None)
    assert complaint(url) is None


@pytest.mark.parametrize("password", ["p@ss", "pa/ss", "pa#ss", "pa?ss"])
@pytest.mark.parametrize("name", ["MLFLOW_TRACKING_URI", "REGISTRAR_LEDGER_URL", "REGISTRAR_BROKER_URL"])
def test_a_password_that_is_not_encoded_is_refused_and_not_shown(name: str, password: str):
    given = {
        "REGISTRAR_CONFIG": "registrar.yml",
        "MLFLOW_TRACKING_URI": "http://mlflow:5000",
        "REGISTRAR_LEDGER_URL": "sqlite:///x",
        "REGISTRAR_BROKER_URL": "redis://redis",
        "REGISTRAR_SECRET_KEY": "k",
        name: f"scheme://user:{password}@host/x",
    }
    with pytest.raises(SettingsError) as refused:
        Settings.read(given)
    assert str(refused.value).startswith(f"{name}: what is special in its user and password must be written as %XX")
    assert password[:2] + password[2:] not in str(refused.value)


def test_settings_show_no_address_that_may_hold_a_password():
    given = {
        "REGISTRAR_CONFIG": "registrar.yml",
        "MLFLOW_TRACKING_URI": "http://u:first-password@mlflow",
        "REGISTRAR_LEDGER_URL": "postgresql+psycopg://u:second-password@db/x",
        "REGISTRAR_BROKER_URL": "redis://:third-password@redis",
        "REGISTRAR_SECRET_KEY": "fourth-password",
    }
    assert "password" not in repr(Settings.read(given))
