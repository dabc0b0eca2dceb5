"""Five answers from an export: python3 questions.py MODEL DAY [TARGET [SEQ:HASH]] < all.jsonl (../audit.md)."""

import hashlib
import json
import sys

HAND, BACK, SAID = "by hand in MLflow", "by a rollback of the policy, after a deployment", "by an operator's word"
PAST = {"registry.changed": HAND, "registry.reconcile": HAND, "deployment.failed": BACK, "model.review": BACK}
PAST |= {"model.rollback": "by a rollback", "model_version.transition": "by a command", "registry.settle": SAID}
PAST |= {"model.adopt": SAID}
model, day, target, noted = [*sys.argv[1:], *["Production", ""][len(sys.argv) - 3 :]]
place = ("alias", target[1:]) if target.startswith("@") else ("stage", target)
held, asked, votes, past, seq, heads = [], {}, [], {}, 0, ["0" * 64]
for line in sys.stdin:
    try:
        entry, seq = json.loads(line), seq + 1
        e, links = json.loads(entry["body"]), heads[-1] + entry["body"]
        heads.append(hashlib.sha256(links.encode()).hexdigest())
        columns = {name: e[name] for name in entry if name not in ("body", "previous", "hash")}
        if entry != {**columns, "seq": seq, "body": entry["body"], "previous": heads[-2], "hash": heads[-1]}:
            raise ValueError(seq)
    except (ValueError, KeyError, TypeError):
        sys.exit(f"(e) NOT WHOLE: line {seq} is missing, out of place or altered; nothing here is to be believed")
    said = {key: " ".join(of.split()) if isinstance(of, str) else of for key, of in e["said"].items()}  # one line each
    how = PAST.get(e["event_type"])
    who = f"{'told ' * (how == HAND)}by {e['actor_name']} ({e['actor']}) at {e['at']}, event {e['event_id']}"
    kind = e["kind"] if e["model"] == model else ""
    if kind == "carried over":  # as it was when the journal began
        row = {"why": said["row"].get("reason"), **said["row"], "actor_name": e["actor_name"], "asked": e["at"]}
        {"holders": held, "votes": votes}.get(said["table"], []).append(row)
        asked |= {row["id"]: row} if said["table"] == "promotions" else {}
    elif kind == "held":
        held.append({**e, **said, "since": e["at"], "until": None})
        if said["promotion_id"] is None and said["kind"] == place[0] and how:
            past[seq] = f"version {e['version']} came to {said['key']} {how}{', adopted' * ('adopted' in said)}, {who}"
    elif kind == "released":
        which = (said["kind"], said["key"], e["version"])
        next(h for h in reversed(held) if (h["kind"], h["key"], h["version"]) == which)["until"] = e["at"]
    elif kind == "vote":
        votes.append({**e, **said})
    elif kind == "version.state" and said["key"] == "registrar.quarantined":
        what = f"was quarantined: {said['value']}" if said["value"] else "is free again"
        past[seq] = f"version {e['version']} {what}, {who}"
    elif kind.startswith("promotion."):
        new = {"asked": e["at"], "why": said["reason"]} if kind == "promotion.opened" else {}
        one = asked[said["promotion_id"]] = {**asked.get(said["promotion_id"], {}), **said, **new}
        if said.get("broke_glass"):
            past.setdefault(one["promotion_id"], f"glass broken for version {e['version']}: {one['reason']}, {who}")
if noted and noted not in (f"{number}:{head}" for number, head in enumerate(heads)):
    sys.exit(f"(e) NOT WHOLE: it has no entry with the head {noted}: its end was cut off, or it was written anew")
that_day = [h for h in held if h["since"][:10] <= day <= (h["until"] or "9999")[:10]]
if not (holders := [h for h in that_day if (h["kind"], h["key"]) == place]):
    print(f"(a) no version of {model} held {target} on {day}, by this export")
for h in holders:
    print(f"(a) version {h['version']} held {target} of {model} from {h['since']} to {h['until'] or 'now'}")
    none = {"evidence": {}, "requested_by": f"{h['actor_name']}, without a promotion,", "asked": h["since"]}
    none["why"] = "see (d)" * (h.get("event_type") in PAST)
    one = asked.get(h["promotion_id"], none)
    for v in votes:
        if h["promotion_id"] and v["promotion_id"] == h["promotion_id"] and v["counted"]:
            print(f"(b)   {v['verdict']} by {v['actor_name']} at {v['at']}: {v['why'] or 'no reason'}")
    print(f"(b)   asked for by {one['requested_by']} at {one['asked']}: {one.get('why') or 'no reason'}")
    print(f"(c)   policy {one['evidence'].get('policy_digest')}, run {one['evidence'].get('run_id')}")
    for gate in one["evidence"].get("gates", []):
        print(f"(c)   {'passed' if gate['passed'] else 'NOT PASSED'}: {gate['reason']}")
print(*(f"(d) {sentence}" for sentence in past.values() or ["nothing went past the rules"]), sep="\n")
print(f"(e) {seq} entries, none missing or altered; head {seq}:{heads[-1]}")
