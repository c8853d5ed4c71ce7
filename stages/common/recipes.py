"""The names of the recipes: ways to make a training set. `X+real` joins one with the labelled real images."""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal, get_args

from pydantic import Field, field_validator

from stages.common.errors import UserError
from stages.common.params import Params, params_file, parse, read_yaml

Recipe = Literal[
    "real",
    "gan",
    "gan+real",
    "annotated",
    "annotated+real",
    "simulated",
    "simulated+real",
    "refined",
    "refined+real",
    "composite",
    "composite+real",
    "transfer",
    "mean_teacher",
    "full",
]
RECIPES: tuple[str, ...] = get_args(Recipe)
JOIN = "+real"
# Whose samples a GAN draws and a label generator labels.
DRAWN: tuple[str, ...] = ("gan", "annotated")
BASELINES: tuple[str, ...] = ("transfer", "mean_teacher")  # for masks, keypoints and depth
UPPER_BOUND = "full"  # has more labels than the others, so it is no rival of theirs
CHECKPOINTS = "checkpoints"  # folder of the weights beside those that a recipe's training chose
POOL = "unlabeled"  # folder of the unlabelled images inside the set of a recipe that learns from them too


def check_recipe(recipe: str, known: Iterable[str] = RECIPES) -> None:
    """Raises UserError for a name that none of the `known` recipes has."""
    if recipe not in known:
        raise UserError(f"--recipe: no recipe {recipe}; known here: {', '.join(known)}")


class ComparedRecipes(Params):
    """The keys of the section `evaluate` that name recipes."""

    recipes: tuple[Recipe, ...] = Field(("real", "gan", "gan+real"), min_length=1)
    """The recipes to compare, in the order of tables and charts; one without models is left out and said to be."""
    baseline: Recipe = "real"
    """The recipe that the others have to beat; of several one of them, but not `full`, which has more labels."""

    @field_validator("recipes")
    @classmethod
    def _each_once(cls, recipes: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(recipes)) < len(recipes):
            raise ValueError("names a recipe twice")
        return recipes


def compared_recipes(path: Path | None = None) -> tuple[str, ...]:
    """`evaluate.recipes` of params.yaml, checked with the keys beside it; none without the file or that section.

    Raises UserError when it or `evaluate.baseline` names no recipe, when no verdict could use that baseline, or when
    `evaluate.folds` would find no checkpoints: the stages between make what the recipes need, so such a mistake would
    end a run after hours.
    """
    path = path or params_file()
    content = read_yaml(path) if path.is_file() else {}
    section, train = content.get("evaluate"), content.get("train")
    if not isinstance(section, dict):
        return ()
    if section.get("folds") and not (isinstance(train, dict) and train.get("checkpoints")):
        raise UserError(f"{path}: evaluate.folds chooses among checkpoints; set train.checkpoints, to 10 for example")
    named = {key: value for key, value in section.items() if key in ComparedRecipes.model_fields}
    compared = parse(ComparedRecipes, named, path, "evaluate")
    _check_baseline(compared, path)
    return compared.recipes


def _check_baseline(compared: ComparedRecipes, path: Path) -> None:
    recipes, baseline = compared.recipes, compared.baseline
    if len(recipes) == 1:  # has nothing to beat
        return
    if baseline == UPPER_BOUND:
        raise UserError(
            f"{path}: evaluate.baseline: {UPPER_BOUND}, the upper bound, has more labels than the others, so it cannot "
            "be what they have to beat; name another one of evaluate.recipes"
        )
    if baseline not in recipes:
        raise UserError(
            f"{path}: evaluate.baseline: {baseline} is not among evaluate.recipes; add it there or name one of them"
        )
