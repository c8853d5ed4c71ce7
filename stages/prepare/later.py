"""Keys of later stages that are looked at here, so that a mistake ends the pipeline before hours of training."""

from stages.common.params import Params, Section, params_file, parse, read_yaml
from stages.common.tasks import AUTO


class TrainKeys(Params):
    """Of the section `train`."""

    target: str = AUTO


def train_target() -> str:
    """`train.target` of params.yaml; auto without the file or the key. Raises UserError when it is no text."""
    return _keys(TrainKeys, "train").target


def _keys(cls: type[Section], section: str) -> Section:
    path = params_file()
    content = read_yaml(path).get(section) if path.is_file() else None
    known = content if isinstance(content, dict) else {}
    return parse(cls, {key: value for key, value in known.items() if key in cls.model_fields}, path, section)
