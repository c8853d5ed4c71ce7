"""The section `evaluate` of params.yaml."""

from pydantic import Field, field_validator

from stages.common.params import Params
from stages.common.recipes import ComparedRecipes


class RegistryParams(Params):
    """Where the best model is registered."""

    model: str = ""
    """Name of the registered model in MLflow; empty takes handful-<name of the dataset>."""


class EvaluateParams(ComparedRecipes):
    """Which training sets are compared (`recipes` and `baseline`: stages/common/recipes.py), and how the comparison is
    shown."""

    folds: int = Field(0, ge=0, le=20)
    """Parts of the test set for the protocol of DatasetGAN and HandsOff beside our own: on each part the best of the
    checkpoints (`train.checkpoints`) is chosen, and scored on the other parts. 0 for none."""
    batch: int = Field(64, ge=1)
    """Images in one forward pass; changes speed and memory, not the scores."""
    pictures: int = Field(4, ge=1, le=50)
    """Test images shown in the report from each of: the best, the middle and the worst."""
    license: str = Field("other", pattern=r"^[A-Za-z0-9.-]+$")
    """Identifier of the licence for the dataset card, for example cc-by-4.0; your source images decide it."""
    registry: RegistryParams = RegistryParams()

    @field_validator("folds")
    @classmethod
    def _several(cls, folds: int) -> int:
        if folds == 1:
            raise ValueError("one fold leaves no images to score on; take 0 or at least 2")
        return folds
