"""The policy of the tests with one thing changed: for tests that claim what a key of registrar.yml does."""

from tests.worker.harness import POLICY

GATES = 'gates: [{metric: rmse, op: "<", threshold: 7}]'
RULES = "{rules: [{group: leads}]}"
PRODUCTION = "stage: Production, alias: champion"


def gate_on_production(gate: str) -> str:
    """What it takes beside the approval."""
    return POLICY.replace(f"approval: {RULES}", f"gates: [{gate}], approval: {RULES}")


def gate_on_staging(gate: str) -> str:
    """Instead of the metric."""
    return POLICY.replace(GATES, f"gates: [{gate}]")


def approval(rules: str, policy: str = POLICY) -> str:
    return policy.replace(RULES, rules)


def production(more: str, policy: str = POLICY) -> str:
    """Further keys of the target Production."""
    return policy.replace(PRODUCTION, f"{PRODUCTION}, {more}")


def model(more: str, policy: str = POLICY) -> str:
    """Further keys of the model."""
    return policy.replace("  taxi:\n", f"  taxi:\n    {more}\n")
