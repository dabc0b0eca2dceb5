"""Settings and registrar.yml: complete, valid, and fitting what is installed here."""

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


def look(site: DoctorContext) -> Iterator[Finding]:
    path = site.settings.config_path
    try:
        policy = policies.load(path)
    except PolicyError as error:
        yield fail(f"{path} can't be used: {'; '.join(str(error).splitlines())}", f"Correct it; {_ADVICE}")
    else:
        wrong = with_lines(path, installation_check.unsupported_kinds_and_options(policy))
        yield from (fail(complaint, f"Correct it; {_ADVICE}") for complaint in wrong)
        if not wrong:
            yield ok(
                f"{path} is valid: {plural(len(policy.sources), 'source')}, {plural(len(policy.channels), 'channel')}"
            )
        for line in with_lines(path, lint.warnings(policy)):
            yield warn(line, f"Registrar runs, and this can never do what it says; {_ADVICE}")
        if not policy.sources:
            yield warn("registrar.yml has no sources: nobody can send anything", "Add one under sources")
    try:
        Encryptor(site.settings.secret_key)
    except ValueError as error:
        yield fail(str(error), "The same key for receiver and worker; with another one, open buttons are void")
    yield from _agreement(site)


def _agreement(site: DoctorContext) -> Iterator[Finding]:
    """Whether the parts that live have the same key and registrar.yml, and those that this command reads."""
    parts = list_living(site.settings.ledger_url)
    found = mismatches(parts)
    for one in found[KEYS]:
        yield fail(
            f"{one.part} {one.instance} has another REGISTRAR_SECRET_KEY than the other parts: what one of them seals, "
            "buttons and answers in chats, the other can't open",
            "Give all parts the same, and restart that one",
        )
    for one in found[CONFIG]:
        advice = "Give all parts the same file; then SIGHUP to the receiver, and restart the worker"
        yield fail(f"{one.part} {one.instance} works by another registrar.yml than the other parts", advice)
    yield from _ours(site, [one for one in parts if one not in found[KEYS]], parts)


def _ours(site: DoctorContext, agreed: Sequence[Heartbeat], parts: Sequence[Heartbeat]) -> Iterator[Finding]:
    """Of this command's own: those of the parts may be newer or older than what lies here."""
    keys = next((one.keys for one in agreed if one.keys), None)
    with suppress(ValueError):
        if keys and not fits(",".join(Encryptor(site.settings.secret_key).digests), keys):
            advice = "Run this with the environment of the parts, or restart them with the new key"
            yield warn("REGISTRAR_SECRET_KEY here is another one than the parts have", advice)
    configs = {one.config for one in parts if one.config}
    if configs and site.policy and policy_view.digest(site.policy) not in configs:
        advice = "SIGHUP to the receiver has it read the file again; restart the worker"
        yield warn(f"{site.settings.config_path} is not what the parts work by: they started before it changed", advice)
