"""Settings and registrar.yml: complete, valid, and fitting what is installed here."""

from collections.abc import Iterator

from registrar import policy as policies
from registrar.doctor import Finding, Site, fail, ok, warn
from registrar.plural import plural
from registrar.policy import PolicyError, fit, lint
from registrar.policy.load import located
from registrar.seal import Seal

_ADVICE = "`registrar check-config` explains the file as it is read"


def look(site: Site) -> Iterator[Finding]:
    path = site.settings.config_path
    try:
        policy = policies.load(path)
    except PolicyError as error:
        yield fail(f"{path} can't be used: {'; '.join(str(error).splitlines())}", f"Correct it; {_ADVICE}")
    else:
        wrong = located(path, fit.misfits(policy))
        yield from (fail(complaint, f"Correct it; {_ADVICE}") for complaint in wrong)
        if not wrong:
            yield ok(
                f"{path} is valid: {plural(len(policy.sources), 'source')}, {plural(len(policy.channels), 'channel')}"
            )
        for line in located(path, lint.warnings(policy)):
            yield warn(line, f"Registrar runs, and this can never do what it says; {_ADVICE}")
        if not policy.sources:
            yield warn("registrar.yml has no sources: nobody can send anything", "Add one under sources")
    try:
        Seal(site.settings.secret_key)
    except ValueError as error:
        yield fail(str(error), "The same key for receiver and worker; with another one, open buttons are void")
