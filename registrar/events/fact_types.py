"""What may come of events: the types of facts that registrar.yml's `notify` chooses by, and README lists."""

_OF = {
    "model_version": "registered held_back transitioned archived described evaluated marked_for_deletion pruned spared",
    "promotion": "awaiting_approval waiting reminder escalated approved broke_glass rejected cancelled vote_counted "
    "vote_refused void superseded expired failed",
    "training_run": "failed",
    "model": "rolled_back",
    "quarantine": "lifted",
    "deployment": "requested succeeded failed timed_out",
    "registry": "changed_by_hand made_anew disputed settled",
    "experiment": "created",
    "artifacts": "fetched",
    "task": "refused failed dead retried dropped",
    "event": "replayed",
}
OUTCOMES = tuple(f"{family}.{word}" for family, words in _OF.items() for word in words.split())
