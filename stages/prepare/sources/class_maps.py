"""Which of a released data set's own classes are learned as which: one file a data set in classes/."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from pydantic import Field

from stages.common.errors import UserError
from stages.common.params import Params, parse, read_yaml
from stages.common.spec import IGNORE

FOLDER = Path(__file__).with_name("classes")
FULL = "full"


class ClassFile(Params):
    """names: the data set's own classes, by their ids where its files hold ids, the background first.

    maps: by the name of the map, the classes to learn, each with the own ones that it takes. The first one is the
    background and takes all that no other one does. ignored: by the name of a map, the own classes that become 255,
    where nothing is learned or tested.
    """

    names: tuple[str, ...]
    maps: dict[str, dict[str, tuple[str, ...]]]
    ignored: dict[str, tuple[str, ...]] = Field({})


class ClassMap(NamedTuple):
    """classes: names by id, the background first. ids: own name -> class id or 255, in the data set's own order."""

    classes: tuple[str, ...]
    ids: dict[str, int]

    def of_ids(self, own: np.ndarray, path: Path) -> np.ndarray:
        """(H, W) uint8 class ids of the data set's own ids, 255 = ignore. Raises UserError for one that it does not
        have."""
        if own.max() >= len(self.ids):
            raise UserError(
                f"{path}: class id {own.max()}, but the data set's own are 0 to {len(self.ids) - 1}; put its own file "
                "there"
            )
        return np.array([*self.ids.values()], np.uint8)[own]


def class_map(source: str, wanted: str) -> ClassMap:
    """The map that prepare.classes names; `full` is that of all own classes. Raises UserError when there is none."""
    path = FOLDER / f"{source}.yaml"
    found = parse(ClassFile, read_yaml(path), path, "")
    if wanted == FULL:
        return ClassMap(found.names, {name: number for number, name in enumerate(found.names)})
    if wanted not in found.maps:
        raise UserError(f"prepare.classes: {source} has no {wanted}; choose one of {', '.join([FULL, *found.maps])}")
    taken_by = {own: number for number, taken in enumerate(found.maps[wanted].values()) for own in taken}
    taken_by |= dict.fromkeys(found.ignored.get(wanted, ()), IGNORE)
    return ClassMap((*found.maps[wanted],), {name: taken_by.get(name, 0) for name in found.names})
