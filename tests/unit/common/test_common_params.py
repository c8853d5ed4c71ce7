"""params.yaml: typed, no unknown keys, one sentence for each mistake."""

from pathlib import Path

import pytest
import yaml
from pydantic import Field

from stages.common.errors import UserError
from stages.common.params import Params, load_params, read_yaml
from stages.common.recipes import compared_recipes

ROOT = Path(__file__).resolve().parents[3]


class InnerParams(Params):
    width: int = Field(default=4, ge=1)


class PretrainParams(Params):
    steps: int = 10
    inner: InnerParams = InnerParams()


def write(tmp_path, text):
    path = tmp_path / "params.yaml"
    path.write_text(text)
    return path


def test_a_section_and_the_shared_keys_are_read(tmp_path):
    path = write(tmp_path, "seed: 3\npretrain: {steps: 5}\n")
    params, shared = load_params("pretrain", PretrainParams, path)
    assert (params.steps, params.inner.width, shared.seed, shared.device) == (5, 4, 3, "auto")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("pretrain: {step: 5}", "pretrain.step is not a known key; did you mean steps?"),
        ("pretrain: {inner: {with: 5}}", "pretrain.inner.with is not a known key; did you mean width?"),
        ("pretrian: {}", "pretrian is not a known key; did you mean pretrain?"),
        ("pretrain: {inner: {width: 0}}", "pretrain.inner.width: input should be greater than or equal to 1 (found 0)"),
        ("device: gpu", "device: input should be 'auto', 'cpu' or 'cuda' (found 'gpu')"),
        ("pretrain: 0", "pretrain: expected keys of its own"),
        ("- 1", "expected `key: value` pairs at the top"),
        (
            "a: [1",
            "line 1, column 6: not valid YAML (expected ',' or ']', but got '<stream end>'); correct it there",
        ),
        ("seed: 1\na:\n  b: x: y\n", "line 3, column 7: not valid YAML (mapping values are not allowed here)"),
        ("a: \x00", "not valid YAML"),
        (
            "pretrain:\n  steps: 1\n  inner:\n    width: 2\n  steps: 3\n",
            "pretrain.steps is written twice, in lines 2 and 5",
        ),
        ("seed: 1\nseed: 1\n", "params.yaml: seed is written twice, in lines 1 and 2; remove one of them"),
        ("list:\n- {a: 1, a: 2}\n", "list.0.a is written twice, in lines 2 and 2"),
    ],
)
def test_each_mistake_is_one_sentence_that_names_it(tmp_path, text, sentence):
    with pytest.raises(UserError) as error:
        load_params("pretrain", PretrainParams, write(tmp_path, text))
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)


def test_keys_of_different_mappings_may_be_the_same_and_merges_may_override(tmp_path):
    text = "base: &base {a: 1, b: 2}\none: {<<: *base, a: 3}\ntwo: {a: 1, '1': 2, 1: 3}\nlist: [{a: 1}, {a: 2}]\n"
    found = read_yaml(write(tmp_path, text))
    assert found["one"] == {"a": 3, "b": 2}
    assert found["two"] == {"a": 1, "1": 2, 1: 3}
    assert found == yaml.safe_load(text)


def test_every_yaml_of_the_project_reads_as_before():
    for path in [ROOT / "params.yaml", *ROOT.glob("presets/*.yaml"), *ROOT.glob("studies/*.yaml")]:
        assert read_yaml(path) == yaml.safe_load(path.read_text()), path


def test_a_file_in_another_encoding_is_named(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_bytes("pretrain: {name: blüten}".encode("latin-1"))
    with pytest.raises(UserError, match=r"params\.yaml: not UTF-8 text"):
        load_params("pretrain", PretrainParams, path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        load_params("pretrain", PretrainParams, tmp_path / "params.yaml")


def test_what_was_found_is_cut_short(tmp_path):
    with pytest.raises(UserError) as error:
        load_params("pretrain", PretrainParams, write(tmp_path, f"pretrain: [{', '.join(['1'] * 500)}]"))
    assert len(str(error.value)) < 300
    assert str(error.value).endswith("...)")


def test_what_is_expected_is_said_in_the_words_of_yaml(tmp_path):
    path = tmp_path / "params.yaml"
    for text, words in (
        ("{recipes: real}", r"evaluate\.recipes: expected a list, such as \[1, 2\] \(found 'real'\)"),
        ("{recipes: []}", r"evaluate\.recipes: has too few entries \(found \[\]\)"),
    ):
        path.write_text(f"evaluate: {text}\n")
        with pytest.raises(UserError, match=words):
            compared_recipes(path)
