"""Signature schemes as data; verifier.py verifies them all."""

from dataclasses import dataclass, replace
from typing import Literal


@dataclass(frozen=True)
class Public:
    """The ed25519 variant of a scheme. key_prefix: marks a public key; if empty, all keys of the scheme are public.

    A key is encoded like the signatures. prefix: before each such signature.
    """

    key_prefix: str
    prefix: str


@dataclass(frozen=True)
class Scheme:
    """How one kind of sender signs. Header names are in lower case.

    signed: the signed bytes, made of {id}, {timestamp} and {body}.
    key: how the secret's text becomes the key. It is never guessed: some senders use a whsec_ secret as it is.
    min_key: bytes; a shorter key is refused at start.
    prefix: before each signature; it never selects the algorithm.
    separator: between several signatures in the header; None: there is one.
    packed: the form of a header with both timestamp and signature: "t={timestamp},v1={signature}".
    """

    signed: str
    signature_header: str
    key: Literal["raw", "base64", "hex", "whsec"]
    min_key: int
    encoding: Literal["hex", "base64"]
    prefix: str = ""
    separator: str | None = None
    timestamp_header: str | None = None
    id_header: str | None = None
    digest: str = "sha256"
    packed: str | None = None
    public: Public | None = None


# https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
STANDARD_WEBHOOKS = Scheme(
    signed="{id}.{timestamp}.{body}",
    signature_header="webhook-signature",
    timestamp_header="webhook-timestamp",
    id_header="webhook-id",
    key="whsec",
    min_key=24,
    encoding="base64",
    prefix="v1,",
    separator=" ",
    public=Public(key_prefix="whpk_", prefix="v1a,"),
)
# https://docs.slack.dev/authentication/verifying-requests-from-slack
SLACK = Scheme(
    signed="v0:{timestamp}:{body}",
    signature_header="x-slack-signature",
    timestamp_header="x-slack-request-timestamp",
    key="raw",
    min_key=16,
    encoding="hex",
    prefix="v0=",
)


# https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/add-outgoing-webhook
TEAMS = Scheme(
    signed="{body}",
    signature_header="authorization",
    key="base64",
    min_key=24,
    encoding="base64",
    prefix="HMAC ",
)
# https://docs.discord.com/developers/interactions/overview#setting-up-an-endpoint
# The public key is the application's, as 64 hexadecimal digits.
DISCORD = Scheme(
    signed="{timestamp}{body}",
    signature_header="x-signature-ed25519",
    timestamp_header="x-signature-timestamp",
    key="raw",
    min_key=32,
    encoding="hex",
    public=Public(key_prefix="", prefix=""),
)


# https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries
# The SHA-1 header beside it (x-hub-signature) is never looked at.
GITHUB = Scheme(
    signed="{body}",
    signature_header="x-hub-signature-256",
    key="raw",
    min_key=16,
    encoding="hex",
    prefix="sha256=",
)


# https://docs.gitlab.com/user/project/integrations/webhooks/: a signing token is Standard Webhooks, without v1a.
GITLAB = replace(STANDARD_WEBHOOKS, public=None)

# https://mlflow.org/docs/latest/ml/webhooks/ , mlflow/webhooks/delivery.py
# The secret's text is the key, also with whsec_; a retry has the first attempt's id, time and signature.
MLFLOW = Scheme(
    signed="{id}.{timestamp}.{body}",
    signature_header="x-mlflow-signature",
    timestamp_header="x-mlflow-timestamp",
    id_header="x-mlflow-delivery-id",
    key="raw",
    min_key=16,
    encoding="base64",
    prefix="v1,",
)
