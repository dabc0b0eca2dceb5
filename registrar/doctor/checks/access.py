"""Checks access: whether the public and the local address require a login, and which networks are trusted."""

from collections.abc import Iterator
from ipaddress import ip_network

from registrar.doctor import DoctorContext, Finding, fail, ok, warn
from registrar.doctor.ledger_access import LedgerNotReadable, open_ledger
from registrar.http.probe import Answer, Silence, ask
from registrar.http.safe_url import at_loopback
from registrar.ledger.engine import now
from registrar.ledger.tokens import all_tokens
from registrar.policy import Policy
from registrar.policy.access import EMAIL, WEB_ACCOUNT, TrustedProxy

PROTECTED_PATH = "/v1/policy"  # needs the role viewer, and is answered from memory
# Shortest prefix in bits, by IP version: 10.0.0.0/8 may be a company, wider networks are parts of the Internet.
_WIDEST = {4: 8, 6: 32}
_LOOPBACK = {4: ip_network("127.0.0.0/8"), 6: ip_network("::1/128")}


def check(context: DoctorContext) -> Iterator[Finding]:
    url = (context.settings.public_url or "").rstrip("/")
    if not url or at_loopback(url):
        yield _check_loopback_access(context, url)
    else:
        yield from _check_public_address(context, url)
        yield from _check_local_address(context, url)
        yield from _check_sign_in(context, url)
    if context.policy and (proxy := context.policy.access.trusted_proxy):
        yield from _check_networks(proxy)
    if context.policy:
        yield from _check_email_accounts(context.policy)


def _check_loopback_access(context: DoctorContext, url: str) -> Finding:
    setting = f"REGISTRAR_PUBLIC_URL is {url}" if url else "REGISTRAR_PUBLIC_URL is not set"
    seen = f"{setting}: anyone on the receiver's machine {_rights(context)} without a login"
    proxy = context.policy.access.trusted_proxy if context.policy else None
    if proxy and _includes_loopback(proxy):
        return ok(f"{setting}, and nobody is the local operator: access.trusted_proxy.networks include this machine")
    if url:
        return ok(seen)
    return warn(seen, "If a proxy is in front, that may be everybody: set it to the address that people use")


def _check_public_address(context: DoctorContext, url: str) -> Iterator[Finding]:
    """Request a protected path. The receiver's check reports an address that does not answer."""
    answer = _get_without_login(url)
    if answer and _is_policy(answer):
        proxy = context.policy and context.policy.access.trusted_proxy
        header = (
            f", and make sure that the proxy sets {proxy.header} only for people who signed in"
            if proxy and proxy.header
            else ""
        )
        yield fail(
            f"{url} requires no login: anyone who reaches it {_rights(context)}",
            f"Restart the receiver with REGISTRAR_PUBLIC_URL={url} in its environment{header}; "
            "docs/explanation/security.md explains which addresses are trusted",
        )
    elif answer and (answer.status < 400 or answer.status in (401, 403)):
        yield ok(f"{url} requires a login ({answer.status})")


def _check_local_address(context: DoctorContext, url: str) -> Iterator[Finding]:
    """Send what nginx sends by default for any client: from loopback, to the upstream's name, without a header."""
    local = context.settings.local_url.rstrip("/")
    answer = _get_without_login(local) if at_loopback(local) else None
    if answer and answer.status == 401:
        yield ok(f"{local} requires a login, also on its own machine")
    elif answer and _is_our_receiver(answer, context.policy):
        yield fail(
            f"anyone who reaches {local} {_rights(context)}: the receiver was started without "
            f"REGISTRAR_PUBLIC_URL={url}, so requests through a proxy on its machine look local",
            "Restart the receiver with the same REGISTRAR_PUBLIC_URL as here",
        )


def _check_sign_in(context: DoctorContext, url: str) -> Iterator[Finding]:
    if context.policy is None or _has_sign_in(context.policy):
        return
    try:
        with open_ledger(context.settings.ledger_url) as ledger, ledger.read() as connection:
            tokens = [token for token in all_tokens(connection) if token.state(now()) == "live"]
    except LedgerNotReadable:
        return
    if not tokens:
        yield warn(
            f"nobody can sign in to the pages or the API at {url}: there is no token, and registrar.yml configures no "
            "sign-in",
            "Sign people in by links (registrar token link --person ID), create a token for each approver (registrar "
            "token create NAME --role operator --person ID), or configure access.oidc, or access.trusted_proxy with a "
            "header (docs/how-to/access.md)",
        )


def _has_sign_in(policy: Policy) -> bool:
    proxy = policy.access.trusted_proxy
    return bool(policy.access.oidc or (proxy and proxy.header))


def _includes_loopback(proxy: TrustedProxy) -> bool:
    return any(ip_network(text).overlaps(_LOOPBACK[ip_network(text).version]) for text in proxy.networks)


def _check_networks(proxy: TrustedProxy) -> Iterator[Finding]:
    claim = f"claim any identity in {proxy.header}" if proxy.header else "claim any address"
    for text in proxy.networks:
        network = ip_network(text)
        if network.prefixlen < _WIDEST[network.version]:
            advice = "List the proxies' own addresses there, such as 10.0.0.5/32"
            yield warn(
                f"access.trusted_proxy.networks has {text}, a large part of the Internet: every client there can "
                f"{claim}",
                advice,
            )
        elif proxy.header and network.overlaps(_LOOPBACK[network.version]):
            yield warn(
                f"access.trusted_proxy.networks has {text}: every program on the receiver's machine can {claim}",
                "Keep other users off that machine, or run the proxy at an address of its own",
            )


def _check_email_accounts(policy: Policy) -> Iterator[Finding]:
    """Warn about people with an email account only, where the sign-in gives no verified email."""
    oidc, proxy = policy.access.oidc, policy.access.trusted_proxy
    sign_ins = [(f"access.oidc.claim: {oidc.claim}", oidc.account_kinds)] if oidc else []
    if proxy and proxy.header:
        sign_ins.append((f"access.trusted_proxy.header: {proxy.header}", proxy.account_kinds))
    by_email = [
        name
        for name, person in policy.people.items()
        if EMAIL in person.accounts and WEB_ACCOUNT not in person.accounts
    ]
    for setting, kinds in sign_ins:
        if by_email and EMAIL not in kinds:
            yield warn(
                f"{', '.join(by_email[:5])}{' and others' if len(by_email) > 5 else ''} can't sign in by {setting}: it "
                f"gives no verified email, so `{WEB_ACCOUNT}` accounts are searched, and they have only `{EMAIL}`",
                f"List their names there as `accounts: {{{WEB_ACCOUNT}: ...}}`, or sign in by verified emails",
            )


def _rights(context: DoctorContext) -> str:
    operator = context.settings.local_operator
    return f"acts as the local operator, {operator}," if operator else "can read everything"


def _get_without_login(url: str) -> Answer | None:
    """Return the answer to a protected path; None where the address does not answer."""
    try:
        return ask(f"{url}{PROTECTED_PATH}")
    except Silence:
        return None


def _is_policy(answer: Answer) -> bool:
    """Tell the policy from a proxy's sign-in page, which is a 200 too. Long policies are cut, so JSON may not parse."""
    return answer.status == 200 and answer.text.lstrip().startswith("{") and '"digest"' in answer.text


def _is_our_receiver(answer: Answer, policy: Policy | None) -> bool:
    """Tell our receiver from another program, or another installation's receiver, at the same address."""
    document = answer.json.get("document") if answer.status == 200 and isinstance(answer.json, dict) else None
    if policy is None or not isinstance(document, dict):
        return False
    return set(document.get("sources", {})) == set(policy.sources)
