"""A team's own training script, which knows MLflow and nothing of Registrar: two regressors, one clearly better.

Runs in a process of its own (`python -m registrar.demo.train`) and is imported by nobody.
"""

import argparse
import json
import pickle
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
from sklearn.feature_extraction import DictVectorizer
from sklearn.linear_model import LinearRegression
from sklearn.metrics import root_mean_squared_error
from sklearn.pipeline import Pipeline, make_pipeline

Trip = dict[str, str | float]
Features = Callable[[Trip], Trip]

ZONES = 12
NOISE_MINUTES = 5.4


def trips(count: int, *, seed: int) -> tuple[list[Trip], list[float]]:
    """Trips as in the New York taxi records, and how long each took in minutes, drawn by `seed`.

    A trip takes a time per mile, and longer or shorter by the pair of zones it runs between.
    """
    draw = np.random.default_rng(seed)
    between = np.random.default_rng(2021).normal(0, 6, (ZONES, ZONES))
    pickups, dropoffs = draw.integers(0, ZONES, (2, count))
    miles = draw.gamma(2.0, 1.4, count).round(2)
    minutes = 6 + 3.4 * miles + between[pickups, dropoffs] + draw.normal(0, NOISE_MINUTES, count)
    found: list[Trip] = [
        {"PULocationID": f"{43 + p}", "DOLocationID": f"{43 + d}", "trip_distance": float(m)}
        for p, d, m in zip(pickups, dropoffs, miles, strict=True)
    ]
    return found, [max(1.0, float(m)) for m in minutes]


def zones_only(trip: Trip) -> Trip:
    """Where from and where to, each by itself: rmse about 9.5."""
    return {"PULocationID": trip["PULocationID"], "DOLocationID": trip["DOLocationID"]}


def pair_and_distance(trip: Trip) -> Trip:
    """The pair of zones and the distance: rmse about 5.5."""
    return {"PU_DO": f"{trip['PULocationID']}_{trip['DOLocationID']}", "trip_distance": trip["trip_distance"]}


def train(name: str, features: Features, *, seed: int, commit: str) -> dict[str, Any]:
    """One run: fit, validate on other trips, log. Returns its id and its validation rmse in minutes."""
    seen, durations = trips(4000, seed=seed)
    unseen, true_durations = trips(1000, seed=seed + 1_000_000)
    model = make_pipeline(DictVectorizer(), LinearRegression())
    with mlflow.start_run(run_name=name) as run:
        model.fit([features(trip) for trip in seen], durations)
        rmse = float(root_mean_squared_error(true_durations, model.predict([features(trip) for trip in unseen])))
        mlflow.log_params(
            {"model": "LinearRegression", "features": features.__name__, "seed": seed, "trips": len(seen)}
        )
        mlflow.log_metric("rmse", rmse)
        mlflow.set_tag("git_commit", commit)
        log_model(model)
    return {"run_id": run.info.run_id, "name": name, "rmse": round(rmse, 3), "commit": commit}


def log_model(model: Pipeline) -> None:
    """The model under `model`; its vectorizer also by itself, for those who only need the features."""
    requirements = ["scikit-learn", "numpy"]  # else MLflow takes seconds to find that out
    mlflow.sklearn.log_model(model, name="model", pip_requirements=requirements)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "vectorizer.pkl"
        path.write_bytes(pickle.dumps(model.named_steps["dictvectorizer"]))
        mlflow.log_artifact(str(path), "extra_artifacts")


def main() -> None:
    """Trains both, the worse one first, and prints a line of JSON for each run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--experiment", default="nyc-taxi-experiment")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--commit", default="unknown")
    given = parser.parse_args()
    mlflow.set_experiment(given.experiment)
    for name, features in (("zones-only", zones_only), ("pair-and-distance", pair_and_distance)):
        json.dump(train(name, features, seed=given.seed, commit=given.commit), sys.stdout)
        sys.stdout.write("\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
