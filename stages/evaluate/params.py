"""The section `evaluate` of params.yaml."""

from pydantic import Field, field_validator

from stages.common.params import Params
from stages.common.recipes import Recipe


class RegistryParams(Params):
    """Where the best model is registered."""

    model: str = ""
    """Name of the registered model in MLflow; empty takes handful-<name of the dataset>."""


class EvaluateParams(Params):
    """Which training sets are compared, and how the comparison is shown."""

    recipes: tuple[Recipe, ...] = Field(("real", "gan", "gan+real"), min_length=1)
    """The recipes to compare, in the order of tables and charts; one without models is left out and said to be."""
    baseline: Recipe = "real"
    """The recipe that the others have to beat."""
    batch: int = Field(64, ge=1)
    """Images in one forward pass; changes speed and memory, not the scores."""
    pictures: int = Field(4, ge=1, le=50)
    """Test images shown in the report from each of: the best, the middle and the worst."""
    license: str = Field("other", pattern=r"^[A-Za-z0-9.-]+$")
    """Identifier of the licence for the dataset card, for example cc-by-4.0; your source images decide it."""
    registry: RegistryParams = RegistryParams()

    @field_validator("recipes")
    @classmethod
    def _each_once(cls, recipes: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(recipes)) < len(recipes):
            raise ValueError("names a recipe twice")
        return recipes
