"""Who is believed: nobody is let in without a login through the public address, and no network is trusted too much."""

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

ASKED = "/v1/policy"  # for viewers, and read from memory
# Bits. 10.0.0.0/8 is a company; what is wider is half the Internet.
_WIDEST = {4: 8, 6: 32}
_LOOPBACK = {4: ip_network("127.0.0.0/8"), 6: ip_network("::1/128")}


def look(site: DoctorContext) -> Iterator[Finding]:
    url = (site.settings.public_url or "").rstrip("/")
    if not url or at_loopback(url):
        yield _this_machine(site, url)
    else:
        yield from _through_the_public_address(site, url)
        yield from _at_the_local_address(site, url)
        yield from _ways_in(site, url)
    if site.policy and (proxy := site.policy.access.trusted_proxy):
        yield from _networks(proxy)
    if site.policy:
        yield from _unreached(site.policy)


def _this_machine(site: DoctorContext, url: str) -> Finding:
    named = f"REGISTRAR_PUBLIC_URL is {url}" if url else "REGISTRAR_PUBLIC_URL is not set"
    seen = f"{named}: whoever asks on the receiver's machine {_may(site)}"
    proxy = site.policy.access.trusted_proxy if site.policy else None
    if proxy and _hold_loopback(proxy):
        return ok(f"{named}; nobody is the local operator, as access.trusted_proxy.networks hold this machine")
    if url:
        return ok(seen)
    return warn(seen, "Is a proxy in front? Then that may be everybody: set it to the address that people know")


def _through_the_public_address(site: DoctorContext, url: str) -> Iterator[Finding]:
    """That it can't be reached is another check's to say."""
    said = _get_without_login(url)
    if said and _shows_the_policy(said):
        proxy = site.policy and site.policy.access.trusted_proxy
        header = (
            f", and see that the proxy sets {proxy.header} for nobody who did not sign in"
            if proxy and proxy.header
            else ""
        )
        yield fail(
            f"{url} lets everybody in without a login: whoever reaches it {_may(site)}",
            f"Restart the receiver with REGISTRAR_PUBLIC_URL={url} in its environment{header}; "
            "docs/explanation/security.md says whose address is believed",
        )
    elif said and (said.status < 400 or said.status in (401, 403)):
        yield ok(f"{url} lets nobody in without a login ({said.status})")


def _at_the_local_address(site: DoctorContext, url: str) -> Iterator[Finding]:
    """As nginx asks for anybody, unless told otherwise: from loopback, by the upstream's name, without a header."""
    local = site.settings.local_url.rstrip("/")
    said = _get_without_login(local) if at_loopback(local) else None
    if said and said.status == 401:
        yield ok(f"{local} takes nobody for the local operator")
    elif said and _is_ours(said, site.policy):
        yield fail(
            f"whoever asks {local} {_may(site)}: that receiver was started without REGISTRAR_PUBLIC_URL={url}, and a "
            "proxy on its machine makes everybody look local",
            "Restart the receiver with the same REGISTRAR_PUBLIC_URL as here",
        )


def _ways_in(site: DoctorContext, url: str) -> Iterator[Finding]:
    if site.policy is None or _signs_people_in(site.policy):
        return
    try:
        with open_ledger(site.settings.ledger_url) as ledger, ledger.read() as connection:
            tokens = [token for token in all_tokens(connection) if token.state(now()) == "live"]
    except LedgerNotReadable:
        return
    if not tokens:
        yield warn(
            f"nobody can use pages and API: at {url} being on the machine is no login, and there is no other",
            "registrar token create NAME --role operator --person ID, for who approves; or access.oidc, or "
            "access.trusted_proxy with a header (docs/how-to/access.md)",
        )


def _signs_people_in(policy: Policy) -> bool:
    proxy = policy.access.trusted_proxy
    return bool(policy.access.oidc or (proxy and proxy.header))


def _hold_loopback(proxy: TrustedProxy) -> bool:
    return any(ip_network(text).overlaps(_LOOPBACK[ip_network(text).version]) for text in proxy.networks)


def _networks(proxy: TrustedProxy) -> Iterator[Finding]:
    what = f"say in {proxy.header} who they are" if proxy.header else "say which address they come from"
    for text in proxy.networks:
        network = ip_network(text)
        if network.prefixlen < _WIDEST[network.version]:
            advice = "List the proxies' own addresses under access.trusted_proxy.networks, such as 10.0.0.5/32"
            yield warn(f"{text} is a large part of the Internet, and whoever comes from it may {what}", advice)
        elif proxy.header and network.overlaps(_LOOPBACK[network.version]):
            yield warn(
                f"access.trusted_proxy.networks has {text}: every program on the receiver's machine may {what}",
                "Let nobody else log in to that machine, or run the proxy where it has an address of its own",
            )


def _unreached(policy: Policy) -> Iterator[Finding]:
    """Who is listed by an email alone, where people sign in by something else."""
    oidc, proxy = policy.access.oidc, policy.access.trusted_proxy
    ways = [(f"access.oidc.claim: {oidc.claim}", oidc.account_kinds)] if oidc else []
    if proxy and proxy.header:
        ways.append((f"access.trusted_proxy.header: {proxy.header}", proxy.account_kinds))
    by_email = [who for who, one in policy.people.items() if EMAIL in one.accounts and WEB_ACCOUNT not in one.accounts]
    for said, kinds in ways:
        if by_email and EMAIL not in kinds:
            yield warn(
                f"{', '.join(by_email[:5])}{' and others' if len(by_email) > 5 else ''} can't sign in by {said}: they "
                f"have an account `{EMAIL}` alone, and what is no verified email is looked for among `{WEB_ACCOUNT}`",
                f"List what they are called there as `accounts: {{{WEB_ACCOUNT}: ...}}`, or use verified emails",
            )


def _may(site: DoctorContext) -> str:
    operator = site.settings.local_operator
    return f"is the local operator, {operator}" if operator else "may look at everything"


def _get_without_login(url: str) -> Answer | None:
    """Without a login. None: it does not answer."""
    try:
        return ask(f"{url}{ASKED}")
    except Silence:
        return None


def _shows_the_policy(said: Answer) -> bool:
    """A proxy's own page for people who did not sign in is a 200 too. A long policy is not read to its end."""
    return said.status == 200 and said.text.lstrip().startswith("{") and '"digest"' in said.text


def _is_ours(said: Answer, policy: Policy | None) -> bool:
    """Another program, or another installation's receiver, may be what listens there."""
    document = said.json.get("document") if said.status == 200 and isinstance(said.json, dict) else None
    if policy is None or not isinstance(document, dict):
        return False
    return set(document.get("sources", {})) == set(policy.sources)
