"""Checks the OpenID Connect provider: that it answers, and is the issuer that registrar.yml names."""

from collections.abc import Iterator

from registrar.doctor import DoctorContext, Finding, fail, ok
from registrar.http.probe import Silence, ask

# https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderConfig
_DISCOVERY = "/.well-known/openid-configuration"


def check(context: DoctorContext) -> Iterator[Finding]:
    if context.policy and (oidc := context.policy.access.oidc):
        yield _check_issuer(oidc.issuer)


def _check_issuer(issuer: str) -> Finding:
    try:
        answer = ask(f"{issuer.rstrip('/')}{_DISCOVERY}")
    except Silence as silence:
        return fail(f"nobody can sign in: {silence}", "Is the provider up, and is access.oidc.issuer right?")
    name = answer.json.get("issuer") if answer.status == 200 and isinstance(answer.json, dict) else None
    if name == issuer:
        return ok(f"people sign in at {issuer}, which confirms that it is this issuer")
    problem = f"says that it is {str(name)[:200]}" if name else f"does not answer as a provider does ({answer.status})"
    advice = f"Set access.oidc.issuer to exactly what `issuer` is at ITS-ADDRESS{_DISCOVERY}"
    return fail(f"nobody can sign in: {issuer} {problem}", advice)
