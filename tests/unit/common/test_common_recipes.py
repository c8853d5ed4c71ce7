import pytest

from stages.common.errors import UserError
from stages.common.recipes import RECIPES, check_recipe, compared_recipes


def test_unknown_recipes_are_refused_in_one_sentence():
    for name in ("gam", "real+real", "+real", ""):
        with pytest.raises(UserError, match="no recipe"):
            check_recipe(name)


def test_every_known_recipe_passes():
    assert {"real", "gan", "gan+real", "simulated", "refined", "refined+real"} <= set(RECIPES)
    for name in RECIPES:
        check_recipe(name)


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ("{recipes: [real, composit]}", r"evaluate\.recipes\.1: input should be 'real', .* \(found 'composit'\)$"),
        ("{baseline: rael}", r"evaluate\.baseline: input should be 'real', .* \(found 'rael'\)$"),
        ("{recipes: [real, gan, real]}", r"evaluate\.recipes: names a recipe twice"),
        ("{recipes: []}", r"evaluate\.recipes: "),
        ("{recipes: [real, full], baseline: full}", r"evaluate\.baseline: full, the upper bound, has more labels than"),
        ("{recipes: [gan, gan+real]}", r"evaluate\.baseline: real is not among evaluate\.recipes; add it there or"),
    ],
)
def test_a_wrong_recipe_to_compare_is_refused_by_its_key(tmp_path, section, words):
    path = tmp_path / "params.yaml"
    path.write_text(f"evaluate: {section}\n")
    with pytest.raises(UserError, match=words) as error:
        compared_recipes(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("section", "recipes"),
    [
        ("{recipes: [gan, composite+real], baseline: gan, batch: 8}", ("gan", "composite+real")),
        ("{recipes: [full], baseline: real}", ("full",)),
        ("{recipes: [full], baseline: full}", ("full",)),
        ("null", ()),
        ("{}", ("real", "gan", "gan+real")),
    ],
)
def test_right_recipes_to_compare_and_none_at_all_pass(tmp_path, section, recipes):
    path = tmp_path / "params.yaml"
    path.write_text(f"evaluate: {section}\n")
    assert compared_recipes(path) == recipes
    assert compared_recipes(tmp_path / "elsewhere.yaml") == ()
