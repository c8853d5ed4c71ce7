"""Small trees in the layouts of PASCAL VOC and COCO."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

PERSON, DOG = 15, 12
NAMES = {PERSON: "person", DOG: "dog"}


def save(path: Path, pixels: np.ndarray, **options) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)


def palette_png(path: Path, ids: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(ids.astype(np.uint8), mode="L").convert("P")
    picture.putdata(ids.ravel().tolist())
    picture.save(path)


def photo(seed: int, size=(60, 80)) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (*size, 3)).astype(np.uint8)


def annotation(objects, size=(60, 80)) -> str:
    """objects: (name, xmin, ymin, xmax, ymax, difficult), edges counted from 1."""
    parts = [
        f"<object><name>{name}</name><difficult>{difficult}</difficult><bndbox><xmin>{xmin}</xmin><ymin>{ymin}</ymin>"
        f"<xmax>{xmax}</xmax><ymax>{ymax}</ymax></bndbox></object>"
        for name, xmin, ymin, xmax, ymax, difficult in objects
    ]
    return f"<annotation><size><width>{size[1]}</width><height>{size[0]}</height></size>{''.join(parts)}</annotation>"


def voc_image(home: Path, stem: str, objects, masked: bool = True) -> None:
    """An image whose objects fill their boxes. objects: as in `annotation`."""
    save(home / "JPEGImages" / f"{stem}.jpg", photo(int(stem)), quality=95)
    (home / "Annotations").mkdir(exist_ok=True)
    (home / "Annotations" / f"{stem}.xml").write_text(annotation(objects))
    numbers, classes = np.zeros((60, 80), np.uint8), np.zeros((60, 80), np.uint8)
    for number, (name, xmin, ymin, xmax, ymax, _) in enumerate(objects, start=1):
        place = slice(ymin - 1, ymax), slice(xmin - 1, xmax)
        numbers[place] = number
        classes[place] = {name: label for label, name in NAMES.items()}[name]
    numbers[0], classes[0] = 255, 255
    if masked:
        palette_png(home / "SegmentationObject" / f"{stem}.png", numbers)
        palette_png(home / "SegmentationClass" / f"{stem}.png", classes)


def voc_tree(root: Path) -> Path:
    """VOC2007 with four labelled images (one of a dog alone) and two test images (one of nothing)."""
    home = root / "VOC2007"
    voc_image(home, "000001", [("person", 9, 5, 24, 44, 0), ("dog", 41, 21, 60, 40, 0)])
    voc_image(home, "000002", [("dog", 9, 5, 24, 44, 0)])
    voc_image(home, "000003", [("person", 1, 11, 80, 60, 0), ("person", 2, 3, 4, 5, 1)])
    voc_image(home, "000004", [("person", 31, 11, 50, 30, 0)], masked=False)
    voc_image(home, "000005", [("person", 11, 11, 50, 50, 0)], masked=False)
    voc_image(home, "000006", [], masked=False)
    for name, stems in (("Segmentation/trainval", (1, 2, 3, 4)), ("Main/test", (5, 6))):
        path = home / "ImageSets" / f"{name}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{stem:06d}\n" for stem in stems))
    return root


def coco_tree(root: Path, part: str = "train2017", first: int = 1) -> Path:
    """A part with five images: a person, a person and a dog, a crowd, a dog, and nothing."""
    person = {"category_id": 1, "iscrowd": 0, "bbox": [8, 4, 16, 40], "segmentation": [[8, 4, 24, 4, 24, 44, 8, 44]]}
    runs = {"size": [60, 80], "counts": [60 * 40 + 10, 30, 30, 30, 60 * 80 - 60 * 40 - 100]}
    second = {"category_id": 1, "iscrowd": 0, "bbox": [40, 10, 2, 30], "segmentation": runs}
    dog = {
        "category_id": 18,
        "iscrowd": 0,
        "bbox": [50, 30, 20, 20],
        "segmentation": [[50, 30, 70, 30, 70, 50, 50, 50]],
    }
    crowd = {
        "category_id": 1,
        "iscrowd": 1,
        "bbox": [0, 0, 80, 60],
        "segmentation": {"size": [60, 80], "counts": [0, 4800]},
    }
    shown = [[person], [second, dog], [crowd], [dog], []]
    images, annotations = [], []
    for number, objects in enumerate(shown, start=first):
        name = f"{number:012d}.jpg"
        images.append({"id": number, "file_name": name, "height": 60, "width": 80})
        save(root / part / name, photo(number), quality=95)
        annotations += [{"id": len(annotations) + k, "image_id": number, **one} for k, one in enumerate(objects)]
    categories = [{"id": 1, "name": "person"}, {"id": 18, "name": "dog"}]
    (root / "annotations").mkdir(exist_ok=True)
    content = {"images": images, "annotations": annotations, "categories": categories}
    (root / "annotations" / f"instances_{part}.json").write_text(json.dumps(content))
    return root
