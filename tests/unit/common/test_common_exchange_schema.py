"""What is written for Label Studio against a schema of the tasks that it imports, written from its documentation."""

import json
from copy import deepcopy
from pathlib import Path
from xml.etree import ElementTree

import jsonschema
import numpy as np
import pytest
from exchange_builders import CLASSES, SIZE, items

from stages.common.exchange import label_studio, label_studio_points
from stages.common.exchange.label_studio_tasks import INTERFACE, TASKS
from stages.common.exchange.points import Pointed

SCHEMA = json.loads(Path(__file__).with_name("label_studio_tasks.schema.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
POINTS = ("nose", "left eye", "chin")


def written(folder, kind):
    if kind == "masks":
        label_studio.write(folder, items(), CLASSES)
    else:
        places = np.array([[0, 0, 2], [0, 0, 0], [SIZE[1] - 0.5, SIZE[0] - 0.5, 1]])
        label_studio_points.write(folder, [Pointed("a", SIZE, places), Pointed("new", SIZE)], POINTS)
    return json.loads((folder / TASKS).read_text())


@pytest.mark.parametrize("kind", ["masks", "points"])
def test_tasks_follow_the_schema(kind, tmp_path):
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    VALIDATOR.validate(written(tmp_path, kind))


@pytest.mark.parametrize("kind", ["masks", "points"])
def test_predictions_name_tags_and_labels_of_the_interface(kind, tmp_path):
    results = [one for task in written(tmp_path, kind) for guess in task["predictions"] for one in guess["result"]]
    view = ElementTree.parse(tmp_path / INTERFACE).getroot()
    tags = {tag.attrib["name"]: tag for tag in view if "name" in tag.attrib}
    assert view.tag == "View"
    assert results
    for one in results:
        control, image = tags[one["from_name"]], tags[one["to_name"]]
        assert image.tag == "Image"
        assert control.attrib["toName"] == one["to_name"]
        assert control.tag.lower() == one["type"]
        offered = {label.attrib["value"] for label in control}
        assert set(one["value"][one["type"]]) <= offered


@pytest.mark.parametrize(
    "spoil",
    [
        lambda task: task.pop("data"),
        lambda task: task["data"].pop("image"),
        lambda task: task.update(predictions={}),
        lambda task: task["predictions"][0].pop("result"),
        lambda task: task["predictions"][0]["result"][0].update(type="brush"),
        lambda task: task["predictions"][0]["result"][0].update(id="left hand"),
        lambda task: task["predictions"][0]["result"][0].pop("original_width"),
        lambda task: task["predictions"][0]["result"][0]["value"].update(rle=[256]),
        lambda task: task["predictions"][0]["result"][0]["value"].pop("brushlabels"),
    ],
)
def test_the_schema_refuses_other_tasks(spoil, tmp_path):
    tasks = deepcopy(written(tmp_path, "masks"))
    spoil(tasks[0])
    assert not VALIDATOR.is_valid(tasks)
