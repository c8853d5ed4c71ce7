"""The section `evaluate` of params.yaml."""

from pydantic import Field

from stages.common.params import Params
from stages.common.recipes import ComparedRecipes


class RegistryParams(Params):
    """Where the best model is registered."""

    model: str = ""
    """Name of the registered model in MLflow; empty takes handful-<name of the dataset>."""


class EvaluateParams(ComparedRecipes):
    """Which training sets are compared (`recipes` and `baseline`: stages/common/recipes.py), and how the comparison is
    shown."""

    batch: int = Field(64, ge=1)
    """Images in one forward pass; changes speed and memory, not the scores."""
    pictures: int = Field(4, ge=1, le=50)
    """Test images shown in the report from each of: the best, the middle and the worst."""
    license: str = Field("other", pattern=r"^[A-Za-z0-9.-]+$")
    """Identifier of the licence for the dataset card, for example cc-by-4.0; your source images decide it."""
    registry: RegistryParams = RegistryParams()
