"""Checks settings and registrar.yml: that they are valid, fit this installation, and are the same for all parts."""

from collections.abc import Iterator, Sequence
from contextlib import suppress

from registrar import policy as policies
from registrar.config.encryption import Encryptor
from registrar.doctor import DoctorContext, Finding, fail, ok, warn
from registrar.doctor.ledger_access import list_living
from registrar.ledger.heartbeats import CONFIG, KEYS, Heartbeat, fits, mismatches
from registrar.policy import PolicyError, installation_check, lint
from registrar.policy.load import with_lines
from registrar.queries import policy_view
from registrar.text.wording import plural

_ADVICE = "`registrar check-config` explains the file as it is read"


def check(context: DoctorContext) -> Iterator[Finding]:
    path = context.settings.config_path
    try:
        policy = policies.load(path)
    except PolicyError as error:
        yield fail(f"{path} can't be used: {'; '.join(str(error).splitlines())}", f"Correct it; {_ADVICE}")
    else:
        problems = with_lines(path, installation_check.unsupported_kinds_and_options(policy))
        yield from (fail(problem, f"Correct it; {_ADVICE}") for problem in problems)
        if not problems:
            yield ok(
                f"{path} is valid: {plural(len(policy.sources), 'source')}, {plural(len(policy.channels), 'channel')}"
            )
        for line in with_lines(path, lint.warnings(policy)):
            yield warn(line, f"Registrar runs, but this entry can't work; {_ADVICE}")
        if not policy.sources:
            yield warn("registrar.yml has no sources, so no webhook is accepted", "Add one under sources")
    try:
        Encryptor(context.settings.secret_key)
    except ValueError as error:
        yield fail(
            str(error), "Set one key for the receiver and the worker; buttons that were sent with another stop working"
        )
    yield from _compare_parts(context)


def _compare_parts(context: DoctorContext) -> Iterator[Finding]:
    """Compare key and registrar.yml of the running parts with each other, and with what this command reads."""
    parts = list_living(context.settings.ledger_url)
    different = mismatches(parts)
    for part in different[KEYS]:
        yield fail(
            f"{part.part} {part.instance} has another REGISTRAR_SECRET_KEY than the other parts: they can't decrypt "
            "each other's data, so buttons and replies in chats fail",
            "Give all parts the same key, and restart this part",
        )
    for part in different[CONFIG]:
        advice = "Give all parts the same file; then send SIGHUP to the receiver, and restart the worker"
        yield fail(f"{part.part} {part.instance} uses another registrar.yml than the other parts", advice)
    yield from _compare_ours(context, [part for part in parts if part not in different[KEYS]], parts)


def _compare_ours(context: DoctorContext, agreed: Sequence[Heartbeat], parts: Sequence[Heartbeat]) -> Iterator[Finding]:
    """Compare this command's key and file with those of the parts, which may have read older or newer ones."""
    keys = next((part.keys for part in agreed if part.keys), None)
    with suppress(ValueError):
        if keys and not fits(",".join(Encryptor(context.settings.secret_key).digests), keys):
            advice = "Run this in the parts' environment, or restart them with the new key"
            yield warn("REGISTRAR_SECRET_KEY here differs from that of the running parts", advice)
    configs = {part.config for part in parts if part.config}
    if configs and context.policy and policy_view.digest(context.policy) not in configs:
        advice = "Send SIGHUP to the receiver to read the file again, and restart the worker"
        yield warn(f"{context.settings.config_path} differs from the file that the running parts have read", advice)
