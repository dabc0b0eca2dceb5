"""The OpenID Connect provider that people sign in with, asked as the receiver asks it."""

from collections.abc import Iterator

from registrar.doctor import DoctorContext, Finding, fail, ok
from registrar.http.probe import Silence, ask

# https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderConfig
_DISCOVERY = "/.well-known/openid-configuration"


def look(site: DoctorContext) -> Iterator[Finding]:
    if site.policy and (oidc := site.policy.access.oidc):
        yield _check_issuer(oidc.issuer)


def _check_issuer(issuer: str) -> Finding:
    try:
        said = ask(f"{issuer.rstrip('/')}{_DISCOVERY}")
    except Silence as silence:
        return fail(f"nobody can sign in: {silence}", "Is the provider up, and access.oidc.issuer right?")
    named = said.json.get("issuer") if said.status == 200 and isinstance(said.json, dict) else None
    if named == issuer:
        return ok(f"people sign in at {issuer}, which says that it is this issuer")
    seen = f"and says that it is {str(named)[:200]}" if named else f"and not as a provider does ({said.status})"
    advice = f"access.oidc.issuer must be what `issuer` says at ITS-ADDRESS{_DISCOVERY}, letter by letter"
    return fail(f"nobody can sign in: {issuer} answers, {seen}", advice)
