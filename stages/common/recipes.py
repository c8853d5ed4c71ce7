"""The names of the recipes: ways to make a training set. `X+real` joins one with the labelled real images."""

from typing import Literal, get_args

from stages.common.errors import UserError

Recipe = Literal[
    "real",
    "gan",
    "gan+real",
    "simulated",
    "simulated+real",
    "refined",
    "refined+real",
    "composite",
    "composite+real",
]
RECIPES: tuple[str, ...] = get_args(Recipe)
JOIN = "+real"


def check_recipe(recipe: str) -> None:
    """Raises UserError for a name that no recipe has."""
    if recipe not in RECIPES:
        raise UserError(f"--recipe: no recipe {recipe}; known here: {', '.join(RECIPES)}")
