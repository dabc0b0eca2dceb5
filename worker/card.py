"""What a request for approval shows beside its sentence, in plain lines; each notifier escapes them for its channel."""

from registrar.outcome import Fact

ASKED = "promotion.awaiting_approval"
ICONS = {
    "model_version.registered": "\N{PACKAGE}",
    "model_version.transitioned": "\N{ROCKET}",
    "model_version.archived": "\N{CARD FILE BOX}",
    "model_version.held_back": "\N{NO ENTRY}",
    ASKED: "\N{RAISED HAND}",
    "promotion.approved": "\N{WHITE HEAVY CHECK MARK}",
    "promotion.rejected": "\N{CROSS MARK}",
    "task.failed": "\N{WARNING SIGN}",
    "task.dead": "\N{POLICE CARS REVOLVING LIGHT}",
    "training_run.failed": "\N{WARNING SIGN}",
}
_OTHER = "\N{INFORMATION SOURCE}"


def headline(fact: Fact) -> str:
    return f"{ICONS.get(fact.type, _OTHER)} {fact.text}"


def evidence(fact: Fact) -> list[str]:
    """Gates, metrics, who asked, which commit, what it replaces."""
    details = fact.details
    lines = [f"{'✓' if gate['passed'] else '✗'} {gate['reason']}" for gate in details["gates"]]
    if details["metrics"]:
        lines.append(", ".join(f"{name} {value}" for name, value in details["metrics"].items()))
    replaced = ", ".join(f"version {version}" for version in details["replaces"])
    return [
        *lines,
        f"requested by {details['requested_by']}",
        f"commit {details['commit']}" if details["commit"] else "no commit given",
        f"replaces {replaced}, which is archived" if replaced else "replaces nothing",
    ]


def command(verdict: str, fact: Fact) -> str:
    """What to write where there is no button to press."""
    model = f'"{fact.model}"' if " " in (fact.model or "") else fact.model
    return f"{verdict} {model} {fact.version} {fact.details['target']}"
