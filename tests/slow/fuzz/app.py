"""The receiver with every kind of source in it, and a way around the signatures, so that fuzz gets to what is behind.

`tests/webhooks/serving.py` starts it; tests/sources/household.py gives its REGISTRAR_CONFIG and the secrets.
"""

from tests.sources.household import RATE
from webhooks import asgi
from webhooks.ingress import error_handlers, source_registry
from webhooks.ingress.chat_reply import ChatResponder
from webhooks.ingress.source_types import Request, Verified

VOUCHED = "x-fuzz-vouched"  # a request with it counts as signed


def from_environment() -> asgi.Asgi:
    error_handlers.REFUSALS = RATE
    verify = source_registry.OpenSource.verify

    def or_vouched(self: source_registry.OpenSource, request: Request) -> Verified:
        return Verified(None, 0) if VOUCHED in request.headers else verify(self, request)

    source_registry.OpenSource.verify = or_vouched  # type: ignore[method-assign]
    ChatResponder.post = lambda self, letter: True  # type: ignore[method-assign]  # the fixtures' addresses are real hosts
    return asgi.from_environment()
