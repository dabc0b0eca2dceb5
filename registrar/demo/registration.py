"""Steps 1 to 3: two runs, two signed events, two versions; one passes its gate, the other is held back."""

from registrar.demo import ci
from registrar.demo.expect import expect
from registrar.demo.registry import Version
from registrar.demo.scene import MODEL, Scene

LIMIT = 7.0  # of rmse, as in the demo's registrar.yml


def train(scene: Scene) -> tuple[ci.Run, ci.Run]:
    scene.screen.step(1, f"A team trains two models and logs them to {ci.EXPERIMENT}")
    runs = ci.train(scene.environment, seed=max((version.number for version in scene.registry.versions()), default=0))
    for run in runs:
        scene.screen.saw(f"run {run.run_id}  {run.name:<17}  rmse {run.rmse:.2f} minutes")
        logged = scene.registry.logged(run.run_id)
        expect("extra_artifacts/vectorizer.pkl" in logged, "a vectorizer logged", seen=logged, look_at="mlflow")
    worse, better = runs
    expect(better.rmse < LIMIT < worse.rmse, "one rmse below 7 and one above", seen=runs, look_at="mlflow")
    scene.screen.good(f"{better.name} is clearly better")
    return worse, better


def register(scene: Scene, worse: ci.Run, better: ci.Run) -> tuple[Version, Version]:
    scene.screen.step(2, f"Its CI posts training_run.finished for both, signed: versions of {MODEL} appear")
    receipts = {run.run_id: scene.pipeline.finished(run, model=MODEL) for run in (worse, better)}
    for run in (worse, better):
        scene.screen.saw(f"posted {run.name}: 202, event {receipts[run.run_id].id}")
    again = scene.pipeline.finished(better, model=MODEL)
    expect(again.repeated and again.id == receipts[better.run_id].id, "a repeated delivery known", seen=again)
    scene.screen.saw(f"posted {better.name} once more: 200, the same event; nothing happens twice")
    scene.interrupt()
    for receipt in receipts.values():
        ci.result(receipt)
    first, second = (_registered(scene, run, receipts[run.run_id].id) for run in (worse, better))
    expect(first.number < second.number, "versions in the order of their events", seen=f"{first} and {second}")
    return first, second


def _registered(scene: Scene, run: ci.Run, event_id: str) -> Version:
    """The run's one version, which says where it came from."""
    version = scene.only_version(run)
    said = {"registrar.run": run.run_id, "registrar.event": event_id, "registrar.commit": run.commit}
    expect(said.items() <= version.tags.items(), f"tags {said}", seen=dict(version.tags))
    expect("registrar.by" in version.tags and run.run_id in version.description, "who, and a description", seen=version)
    scene.screen.version(version)
    return version


def try_gates(scene: Scene, held_back: Version, candidate: Version) -> None:
    scene.screen.step(3, f"The gate lets rmse < {LIMIT:g} into Staging, and holds the other back")
    expect(candidate.stage == "Staging", f"version {candidate.number} in Staging", seen=candidate)
    expect("challenger" in candidate.aliases, f"@challenger is version {candidate.number}", seen=candidate)
    scene.screen.good(f"{candidate}")
    expect(held_back.stage == "None", f"version {held_back.number} in no stage", seen=held_back)
    reason = held_back.tags.get("registrar.held_back.Staging")
    expect(reason is not None, f"a reason in the tags of version {held_back.number}", seen=dict(held_back.tags))
    scene.screen.good(f"{held_back} was held back: {reason}")
