"""CelebAMask-HQ (Lee, Liu, Wu, Luo: MaskGAN, CVPR 2020): 30,000 faces of CelebA-HQ with a mask of each of their parts.

`CelebA-HQ-img/<n>.jpg` is 1024 x 1024. `CelebAMask-HQ-mask-anno/<n // 2000>/<n in five digits>_<part>.png` is
512 x 512 and light where the part is; there is none for a part that the face does not show. Parts are painted on one
another in the order of the release's own script. `CelebA-HQ-to-CelebA-mapping.txt` says which image of CelebA each one
was: where it is there, the sets are CelebA's own, which share no person. Without it test and val are split off at
random, and show persons of the other sets.
"""

from functools import partial
from pathlib import Path

import numpy as np

from stages.common.errors import UserError
from stages.common.spec import DatasetSpec
from stages.prepare.params import PrepareParams
from stages.prepare.reading import open_label, read_image, refuse_other_shape, resized
from stages.prepare.records import Pixels, Record, Source, group_of
from stages.prepare.sources.class_maps import ClassMap, class_map
from stages.prepare.sources.instances import folder_of, frame_of

IMAGES, PARTS = "CelebA-HQ-img", "CelebAMask-HQ-mask-anno"
MAPPING = "CelebA-HQ-to-CelebA-mapping.txt"
PARTS_A_FOLDER = 2000
# The first file of CelebA in each set (its list_eval_partition.txt); those before are for training.
FIRST_VAL, FIRST_TEST = 162771, 182638


def read_source(params: PrepareParams) -> Source:
    """All faces with their masks. Raises UserError when there are none or prepare.classes names no map."""
    root, size = folder_of(params, f"{IMAGES}/ and {PARTS}/"), frame_of(params)
    parts = class_map("celebamask", params.classes)
    spec = DatasetSpec(name="celebamask", size=size, channels=3, classes=parts.classes)
    images = [path for path in (root / IMAGES).glob("*.jpg") if path.stem.isdigit()]
    if not images:
        raise UserError(f"{root / IMAGES}: no 0.jpg or the like; put the images of CelebAMask-HQ there")
    pools = celeba_pools(root / MAPPING)
    records = []
    for path in sorted(images, key=lambda path: int(path.stem)):
        pool = pools.get(int(path.stem), "labeled")
        group = group_of(path.stem, pool, params.group_pattern)
        read = partial(read_face, path, root / PARTS, parts, spec)
        records.append(Record(path.stem, pool, group, str(path), read))
    return Source(spec, records)


def celeba_pools(path: Path) -> dict[int, str]:
    """Number of an image -> the set that CelebA has it in, as labeled, val or test; empty without the file.

    Raises UserError for a line that is none of number, index and name in CelebA.
    """
    if not path.is_file():
        return {}
    pools = {}
    for line in path.read_text(encoding="utf-8").splitlines()[1:]:
        words = line.split()
        if len(words) != 3 or not words[0].isdigit() or not Path(words[2]).stem.isdigit():
            raise UserError(f"{path}: {line!r} is no number, index and file of CelebA; put the release's own there")
        original = int(Path(words[2]).stem)
        pools[int(words[0])] = "test" if original >= FIRST_TEST else "val" if original >= FIRST_VAL else "labeled"
    return pools


def read_face(path: Path, parts: Path, mapped: ClassMap, spec: DatasetSpec) -> Pixels:
    """A face with its mask, both at the size of the data set."""
    image = read_image(path, spec, any_size=True)
    return resized(Pixels(image, face_mask(parts, int(path.stem), mapped)), spec.size)


def face_mask(parts: Path, number: int, mapped: ClassMap) -> np.ndarray:
    """(512, 512) uint8 class ids of a face. Raises UserError when it has no part, or parts of several sizes."""
    folder = parts / str(number // PARTS_A_FOLDER)
    mask: np.ndarray | None = None
    for part, class_id in mapped.ids.items():
        path = folder / f"{number:05d}_{part}.png"
        if not path.is_file():
            continue
        shown = np.asarray(open_label(path, "no such file").convert("L")) > 0
        mask = np.zeros(shown.shape, np.uint8) if mask is None else mask
        refuse_other_shape(path, shown.shape, (mask.shape[0], mask.shape[1]), "part")
        mask[shown] = class_id
    if mask is None:
        raise UserError(f"{folder}: no {number:05d}_skin.png or the like; put the masks of the release there")
    return mask
