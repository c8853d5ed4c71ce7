from pathlib import Path

import numpy as np
import pytest

from stages.common.errors import UserError
from stages.common.params import parse, read_yaml
from stages.common.spec import IGNORE
from stages.prepare.sources.class_maps import FOLDER, ClassFile, class_map

FILES = sorted(FOLDER.glob("*.yaml"))
MAPS = [(path.stem, name) for path in FILES for name in read_yaml(path)["maps"]]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_map_takes_known_classes_once_and_the_rest_for_the_background(path):
    found = parse(ClassFile, read_yaml(path), path, "")
    assert len(set(found.names)) == len(found.names) <= IGNORE
    assert "articles" in found.maps
    for taken in found.maps.values():
        first, *others = taken.values()
        assert first == ()
        named = [name for names in others for name in names]
        assert len(set(named)) == len(named)
        assert set(named) < set(found.names)
        assert all(others)
    for name, ignored in found.ignored.items():
        taken = {own for names in found.maps[name].values() for own in names}
        assert set(ignored) <= set(found.names)
        assert not set(ignored) & taken


@pytest.mark.parametrize(("source", "name"), MAPS)
def test_every_class_of_a_map_is_made_of_something(source, name):
    mapped = class_map(source, name)
    made = set(range(len(mapped.classes)))
    if (source, name) == ("cityscapes", "evaluated"):
        made = made - {0} | {IGNORE}  # as Cityscapes evaluates: what is none of the nineteen is ignored
    assert set(mapped.ids.values()) == made
    assert len(mapped.classes) < len(class_map(source, "full").classes)


@pytest.mark.parametrize(
    ("source", "name", "classes"),
    [
        ("celebamask", "articles", 8),
        ("cityscapes", "evaluated", 20),
        ("cityscapes", "categories", 8),
        ("cityscapes", "articles", 5),
        ("carparts", "articles", 10),
        ("deepfashion", "articles", 8),
        ("deepfashion", "articles-10", 10),
        ("pascalpart", "articles", 5),
        ("ade20k", "articles", 12),
        ("ade20k", "articles-5", 5),
    ],
)
def test_a_map_has_the_number_of_classes_that_it_is_known_for(source, name, classes):
    assert len(class_map(source, name).classes) == classes


def test_ids_become_those_of_the_map():
    mapped = class_map("celebamask", "articles")
    own = np.array([[0, 1, 3], [5, 13, 18]], np.uint8)
    assert mapped.of_ids(own, Path("x.png")).tolist() == [[0, 1, 3], [3, 7, 0]]
    assert class_map("celebamask", "full").of_ids(own, Path("x.png")).tolist() == own.tolist()


def test_an_id_that_the_data_set_lacks_is_refused():
    with pytest.raises(UserError, match=r"^x\.png: class id 19, but the data set's own are 0 to 18; put its own file"):
        class_map("celebamask", "full").of_ids(np.array([[19, 0]]), Path("x.png"))


def test_an_unknown_map_is_refused_with_those_there_are():
    with pytest.raises(UserError, match=r"^prepare\.classes: celebamask has no thirty; choose one of full, articles"):
        class_map("celebamask", "thirty")
