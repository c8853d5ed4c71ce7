import pytest

from stages.common.errors import UserError
from stages.common.recipes import RECIPES, check_recipe


def test_unknown_recipes_are_refused_in_one_sentence():
    for name in ("gam", "real+real", "+real", ""):
        with pytest.raises(UserError, match="no recipe"):
            check_recipe(name)


def test_every_known_recipe_passes():
    assert {"real", "gan", "gan+real", "simulated", "refined", "refined+real"} <= set(RECIPES)
    for name in RECIPES:
        check_recipe(name)
