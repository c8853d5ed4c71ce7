"""Overlays of params.yaml: reading, checking, merging."""

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedSeq

from flows.checks import check_values, joined, section_class
from stages.common.errors import UserError
from stages.common.params import SharedParams, read_yaml
from stages.common.tracking import flatten

Change = tuple[str, Any, Any]
PATHS = (
    "prepare.path",
    "prepare.simulator_path",
    "prepare.backgrounds.path",
    "pretrain.weights",
    "pretrain.measure.inception_weights",
    "invert.backbone_weights",
    "annotate.answers",
)


def preset_path(folder: Path, name: str, kind: str = "preset") -> Path:
    """presets/NAME.yaml. Raises UserError with the closest name for one that is not there."""
    names = sorted(path.stem for path in folder.glob("*.yaml"))
    if name in names:
        return folder / f"{name}.yaml"
    close = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean {close[0]}?" if close else f"there are: {', '.join(names) or 'none'}"
    raise UserError(f"{folder}: no {kind} {name}; {hint}")


def catalogue(folder: Path) -> str:
    """A line a file of the folder: its name and the first line of comment in it."""
    return listed(described(folder))


def listed(comments: Mapping[str, str]) -> str:
    """A line a name, with what is said about it beside."""
    width = max((len(name) for name in comments), default=0)
    return "\n".join(f"{name:<{width}}  {comment}" for name, comment in comments.items())


def described(folder: Path) -> dict[str, str]:
    """{preset: the first line of comment in its file}."""
    return {path.stem: _first_comment(path) for path in sorted(folder.glob("*.yaml"))}


def _first_comment(path: Path) -> str:
    comments = (
        line.lstrip("# ").strip() for line in path.read_text(errors="replace").splitlines() if line.startswith("#")
    )
    return next(comments, "")


def setting(text: str) -> dict[str, Any]:
    """`train.steps=20` as {"train": {"steps": 20}}; the value is read as YAML. Raises UserError without a key or =."""
    key, equals, value = text.partition("=")
    if not key.strip() or not equals:
        raise UserError(f"--set {text}: expected key=value, for example train.steps=20")
    try:
        content: Any = yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise UserError(f"--set {text}: the value is not valid YAML") from error
    return nested(key.strip(), content)


def nested(key: str, value: Any) -> dict[str, Any]:
    """`a.b` and 1 as {"a": {"b": 1}}."""
    for part in reversed(key.split(".")):
        value = {part: value}
    return dict(value)


def read_overlay(path: Path) -> dict[str, Any]:
    """The mapping in a preset; one of comments alone is the defaults. Raises UserError when it is no mapping."""
    lines = (line.strip() for line in path.read_text().splitlines())
    return read_yaml(path) if any(line and not line.startswith("#") for line in lines) else {}


def with_absolute_path(whole: Mapping[str, Any], overlay: Mapping[str, Any]) -> dict[str, Any]:
    """The overlay for a copy elsewhere: relative paths of images and weights were meant from here."""
    values = flatten(whole)
    for key in PATHS:
        if values.get(key):
            overlay = merged(overlay, nested(key, str(Path(values[key]).resolve())))
    return dict(overlay)


def merged(base: Mapping[str, Any], overlay: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with the values of `overlay`; mappings are merged, everything else is replaced."""
    result = dict(base)
    for key, value in overlay.items():
        old = result.get(key)
        result[key] = merged(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return result


def check_overlay(params: Path, overlay: dict[str, Any], source: Path, at: str = "") -> None:
    """Raises UserError naming `source` for a key that no stage knows or a value that a stage refuses.

    at: the dotted key of `source` under which the overlay is; empty for a file that is nothing else.
    """
    base = read_yaml(params)
    for section, content in overlay.items():
        typed = section in SharedParams.model_fields or section_class(section) is not None
        if section not in base and not typed:
            known = sorted({*base, *SharedParams.model_fields})
            close = difflib.get_close_matches(section, known, n=1)
            hint = f"did you mean {close[0]}?" if close else f"known here: {', '.join(known)}"
            raise UserError(f"{source}: {joined(at, section)} is not a known key; {hint}")
        if not typed:
            _refuse_new(base[section], content, joined(at, section), source)
    check_values({key: value for key, value in merged(base, overlay).items() if key in overlay}, source, at)


def _refuse_new(base: Any, overlay: Any, prefix: str, source: Path) -> None:
    if not isinstance(overlay, Mapping):
        return
    for key, value in overlay.items():
        if not isinstance(base, Mapping) or key not in base:
            raise UserError(f"{source}: {prefix}.{key} is not a known key; params.yaml does not have it")
        _refuse_new(base[key], value, f"{prefix}.{key}", source)


def apply_overlay(params: Path, overlay: Mapping[str, Any]) -> list[Change]:
    """Write the overlay into params.yaml, keeping its comments and order. Returns (key, old, new) of what changed."""
    editor = YAML()
    editor.preserve_quotes = True
    editor.width = 4096
    before = flatten(read_yaml(params))
    with params.open() as file:
        content = editor.load(file)
    _put(content, overlay)
    with params.open("w") as file:
        editor.dump(content, file)
    after = flatten(read_yaml(params))
    keys = [key for key in {**before, **after} if before.get(key) != after.get(key)]
    return [(key, before.get(key), after.get(key)) for key in keys]


def _put(content: Any, overlay: Mapping[str, Any]) -> None:
    for key, value in overlay.items():
        if isinstance(value, Mapping) and isinstance(content.get(key), Mapping):
            _put(content[key], value)
        else:
            content[key] = _in_one_line(value) if isinstance(value, list) else value


def _in_one_line(values: list[Any]) -> CommentedSeq:
    sequence = CommentedSeq(values)
    sequence.fa.set_flow_style()
    return sequence
