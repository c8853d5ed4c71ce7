"""Keys of later stages that are looked at here, so that a mistake ends the pipeline before hours of training."""

from collections.abc import Mapping, Sequence

from stages.common.errors import UserError
from stages.common.params import Params, Section, class_of_section, load_params, params_file, parse, read_yaml
from stages.common.recipes import JOIN, UPPER_BOUND
from stages.common.tasks import AUTO

SOURCES = {"simulated": ("simulated", "refined"), "foregrounds": ("composite",), "full": (UPPER_BOUND,)}
"""By the set that `prepare` writes: the recipes that are made of it."""


class TrainKeys(Params):
    """Of the section `train`."""

    target: str = AUTO


class EvaluateKeys(Params):
    """Of the section `evaluate`."""

    folds: int = 0


def check_sections() -> None:
    """Raises UserError for the first wrong key or value in a section of another stage in params.yaml."""
    path = params_file()
    for section in read_yaml(path) if path.is_file() else ():
        if cls := class_of_section(section):
            load_params(section, cls, path)


def train_target() -> str:
    """`train.target` of params.yaml; auto without the file or the key. Raises UserError when it is no text."""
    return _keys(TrainKeys, "train").target


def asked_folds() -> int:
    """`evaluate.folds` of params.yaml; 0 without the file or the key. Raises UserError when it is no whole number."""
    return _keys(EvaluateKeys, "evaluate").folds


def check_folds(folds: int, groups: Sequence[str]) -> None:
    """Raises UserError when the test images are of fewer groups than they have to be cut into folds, which are of whole
    groups."""
    count = len(set(groups))
    if folds > count:
        raise UserError(
            f"{params_file()}: evaluate.folds: {folds} folds, but the {len(groups)} test images are of {count} "
            f"group{'' if count == 1 else 's'}, and a fold holds whole ones; set it to "
            f"{f'at most {count}, or ' if count > 1 else ''}0 for none, or name smaller groups by prepare.group_pattern"
        )


def without_source(recipes: Sequence[str], counts: Mapping[str, int]) -> list[str]:
    """A sentence for each set in `counts`, images by set, that has none although recipes are made of it: these are left
    out of the comparison."""
    sentences = []
    for name in SOURCES:
        lacking = [recipe for recipe in recipes if recipe.removesuffix(JOIN) in SOURCES[name]]
        if lacking and not counts[name]:
            sentences.append(
                f"{params_file()}: evaluate.recipes: there are no images in {name}, so {' and '.join(lacking)} will be "
                "left out of the comparison; give some or take the recipe out"
            )
    return sentences


def _keys(cls: type[Section], section: str) -> Section:
    path = params_file()
    content = read_yaml(path).get(section) if path.is_file() else None
    known = content if isinstance(content, dict) else {}
    return parse(cls, {key: value for key, value in known.items() if key in cls.model_fields}, path, section)
