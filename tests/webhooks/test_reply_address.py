"""Answers go to the chat system's own hosts and nowhere else."""

import pytest

from registrar.config.encryption import REPLY
from tests.sources.captured import sender
from webhooks.chat import reply_address
from webhooks.ingress.errors import InvalidEvent


def encryptor(url: str, *listed: str) -> dict[str, str]:
    context = sender("slack")[0].context
    config = context.config.model_copy(update={"reply_to": list(listed)})
    context = type(context)(context.name, config, context.policy, context.encryptor, context.secrets)
    return context.encryptor.decrypt(
        reply_address.encrypt(url, kind="slack", hosts={"hooks.slack.com"}, context=context), audience=REPLY
    )


@pytest.mark.parametrize(
    ("url", "listed"),
    [
        ("https://hooks.slack.com/actions/T/1/x", ()),
        ("https://HOOKS.slack.com:443/actions", ()),
        ("https://chat.example:8443/x", ("chat.example:8443",)),
        ("https://chat.example/x", ("chat.example",)),
        ("http://127.0.0.1:8065/x", ("127.0.0.1:8065",)),
        ("http://localhost:8065/x", ("localhost:8065",)),
        ("http://[::1]:8065/x", ("[::1]:8065",)),
    ],
)
def test_an_allowed_address_is_sealed(url: str, listed: tuple[str, ...]):
    assert encryptor(url, *listed) == {"kind": "slack", "url": url}


@pytest.mark.parametrize(
    ("url", "listed"),
    [
        ("http://hooks.slack.com/x", ()),
        ("https://hooks.slack.com:8443/x", ()),
        ("https://hooks.slack.com:0/x", ()),
        ("https://hooks.slack.com.evil.example/x", ()),
        ("https://evil.example/hooks.slack.com", ()),
        ("https://evil.example#hooks.slack.com", ()),
        ("https://ada@hooks.slack.com/x", ()),
        ("https://hooks.slack.com\\@evil.example/x", ()),
        ("https://hooks.slack.com\n.evil.example/x", ()),
        ("https://hooks.slack.com:x/", ()),
        ("https://[hooks.slack.com/", ()),
        ("https://hooks.slack.com/" + "x" * 2000, ()),
        ("https://h\u00f6oks.slack.com/", ()),
        ("file:///etc/passwd", ()),
        ("ftp://hooks.slack.com:443/", ()),
        ("//hooks.slack.com/x", ()),
        ("", ()),
        ("https://hooks.slack.com/x", ("chat.example",)),
        ("http://127.0.0.1:8066/x", ("127.0.0.1:8065",)),
        ("http://chat.example:80/x", ("chat.example:80",)),
        ("http://169.254.169.254/latest", ()),
    ],
)
def test_any_other_address_is_refused(url: str, listed: tuple[str, ...]):
    with pytest.raises(InvalidEvent, match=r"list it in sources\.slack\.reply_to"):
        encryptor(url, *listed)
