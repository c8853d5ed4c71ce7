"""One run a recipe in MLflow, with the same metric names, so that its comparison views need one click."""

from collections.abc import Sequence
from typing import Any

from stages.evaluate.scores import RecipeScores, flat


def log_recipes(mlflow: Any, scores: Sequence[RecipeScores]) -> list[str]:
    """Make a finished child of the active run for each recipe; returns their run ids."""
    client, parent = mlflow.MlflowClient(), mlflow.active_run()
    return [_log_recipe(mlflow, client, parent, each) for each in scores]


def _log_recipe(mlflow: Any, client: Any, parent: Any, scores: RecipeScores) -> str:
    tags = {"mlflow.parentRunId": parent.info.run_id, "kind": "recipe", "stage": "evaluate", "recipe": scores.recipe}
    commit = {key: value for key, value in parent.data.tags.items() if key.startswith("git.")}
    run = client.create_run(parent.info.experiment_id, tags=tags | commit, run_name=f"recipe {scores.recipe}")
    entity, now = mlflow.entities.Metric, run.info.start_time
    numbers = [entity(_legal(name), value, now, 0) for name, value in flat(scores).items()]
    client.log_batch(run.info.run_id, metrics=numbers, params=[mlflow.entities.Param("recipe", scores.recipe)])
    client.set_terminated(run.info.run_id)
    return str(run.info.run_id)


def _legal(name: str) -> str:
    """A metric name as MLflow takes it; the classes of a dataset may hold other characters."""
    return "".join(c if c.isascii() and (c.isalnum() or c in "_-. :/") else "_" for c in name)
