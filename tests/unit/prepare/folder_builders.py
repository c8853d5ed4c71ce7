"""Folders of images of noise, described by a dataset.yaml."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from stages.common.errors import UserError
from stages.prepare.params import PrepareParams
from stages.prepare.scan import scan
from stages.prepare.sources import open_source


def write_folder(root: Path, counts: Mapping[str, int], size: tuple[int, int], **description: object) -> None:
    """So many grey images in each sub-folder, `<first letter><number>.png`, and dataset.yaml with this description."""
    random = np.random.default_rng(0)
    for folder, count in counts.items():
        (root / folder).mkdir(parents=True)
        for number in range(count):
            pixels = random.integers(0, 256, size).astype(np.uint8)
            Image.fromarray(pixels).save(root / folder / f"{folder[0]}{number}.png")
    content = {"image": {"size": list(size), "channels": 1}} | description
    (root / "dataset.yaml").write_text(yaml.safe_dump(content))


def refused(params: PrepareParams) -> str:
    """The sentence that reading all of the source ends with."""
    with pytest.raises(UserError) as error:
        scan(open_source(params), quarantine=False)
    assert "\n" not in str(error.value)
    return str(error.value)
