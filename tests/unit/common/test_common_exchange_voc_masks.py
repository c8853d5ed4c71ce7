import numpy as np
import pytest
from exchange_builders import CLASSES, SIZE, assert_same, items, masks_of, random_mask
from PIL import Image

from stages.common.errors import UserError
from stages.common.exchange import voc_masks

LABELMAP = "# label:color_rgb:parts:actions\nbackground:0,0,0::\ntail:128,0,0::\n\nhead:0,128,0::\n"
COLOURS = {0: (0, 0, 0), 3: (128, 0, 0), 1: (0, 128, 0), 255: (224, 224, 192)}


def save(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def coloured(mask):
    pixels = np.zeros((*mask.shape, 3), np.uint8)
    for class_id, colour in COLOURS.items():
        pixels[mask == class_id] = colour
    return pixels


def drawn(seed=0):
    """A mask without the class that LABELMAP lacks."""
    mask = random_mask(seed)
    return np.where(mask == 2, 0, mask).astype(np.uint8)


def export(root, pixels, labelmap=LABELMAP, name="img-000"):
    save(root / "SegmentationClass" / f"{name}.png", pixels)
    (root / "labelmap.txt").write_text(labelmap)
    return root


def refused(path) -> str:
    with pytest.raises(UserError) as error:
        voc_masks.read(path, SIZE, CLASSES)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_colours_are_named_by_the_labelmap(tmp_path):
    assert_same(voc_masks.read(export(tmp_path, coloured(drawn())), SIZE, CLASSES), {"img-000": drawn()})


def test_colours_of_a_palette_count_not_its_order(tmp_path):
    picture = Image.fromarray(coloured(drawn())).quantize(8)
    assert picture.mode == "P"
    export(tmp_path, coloured(drawn()))
    picture.save(tmp_path / "SegmentationClass" / "img-000.png")
    assert_same(voc_masks.read(tmp_path, SIZE, CLASSES), {"img-000": drawn()})


def test_grey_masks_count_the_lines_of_the_labelmap(tmp_path):
    mask = drawn()
    indices = np.select([mask == 3, mask == 1, mask == 255], [1, 2, 255], 0).astype(np.uint8)
    assert_same(voc_masks.read(export(tmp_path, indices), SIZE, CLASSES), {"img-000": mask})


def test_plain_masks_hold_class_ids(tmp_path):
    wanted = masks_of(items())
    for name, mask in wanted.items():
        save(tmp_path / "masks" / f"{name}.png", mask)
    assert_same(voc_masks.read(tmp_path / "masks", SIZE, CLASSES), wanted)


def test_what_is_written_is_listed_and_holds_class_ids_and_colours(tmp_path):
    voc_masks.write(tmp_path, items(), CLASSES)
    wanted = masks_of(items())
    assert (tmp_path / "ImageSets/Segmentation/default.txt").read_text().split() == sorted(wanted)
    labels = voc_masks.read_labelmap(tmp_path / "labelmap.txt")
    assert list(labels.values()) == [*CLASSES, "ignore"]
    colours = {label: colour for colour, label in labels.items()}
    for name, mask in wanted.items():
        picture = Image.open(tmp_path / "SegmentationClass" / f"{name}.png")
        np.testing.assert_array_equal(np.asarray(picture), mask)
        pixels = np.asarray(picture.convert("RGB"))
        for class_id, label in (*enumerate(CLASSES), (255, "ignore")):
            assert (pixels[mask == class_id] == colours[label]).all()


@pytest.mark.parametrize("classes", [2, 20, 60])
def test_every_class_has_a_colour_of_its_own(classes, tmp_path):
    names = tuple(f"class {number}" for number in range(classes))
    voc_masks.write(tmp_path, [], names)
    assert len(voc_masks.read_labelmap(tmp_path / "labelmap.txt")) == classes + 1


def test_masks_of_two_folders_must_differ_in_name(tmp_path):
    root = export(tmp_path, coloured(drawn()))
    save(root / "SegmentationClass/more/img-001.png", coloured(drawn(1)))
    assert_same(voc_masks.read(root, SIZE, CLASSES), {"img-000": drawn(), "img-001": drawn(1)})
    save(root / "SegmentationClass/more/img-000.png", coloured(drawn(1)))
    assert "img-000: annotated twice" in refused(root)


@pytest.mark.parametrize(
    ("labelmap", "text"),
    [
        (LABELMAP.replace("0,128,0", "0,129,0"), "img-000.png: the colour 0,128,0 is not in labelmap.txt"),
        (LABELMAP.replace("head", "nose"), "img-000.png: no class is called nose"),
        (LABELMAP.replace("0,128,0", "0,128"), "line 5: head:0,128:: is no label:red,green,blue::"),
        (LABELMAP.replace("0,128,0", "0,128,256"), "line 5"),
        (LABELMAP.replace("0,128,0", "green"), "line 5"),
    ],
)
def test_labelmaps_that_do_not_fit_are_refused(labelmap, text, tmp_path):
    assert text in refused(export(tmp_path, coloured(drawn()), labelmap))


def test_a_labelmap_in_another_encoding_is_refused(tmp_path):
    export(tmp_path, coloured(drawn()))
    (tmp_path / "labelmap.txt").write_bytes(LABELMAP.replace("head", "K\u00f6pfe").encode("latin-1"))
    assert "labelmap.txt: not UTF-8" in refused(tmp_path)


def test_masks_that_do_not_fit_are_refused(tmp_path):
    mask = drawn()
    assert "annotated at 36 x 53" in refused(export(tmp_path, coloured(mask)[1:]))
    assert "3 is no line of labelmap.txt, which has 3 labels" in refused(export(tmp_path, mask))
    assert "neither colours nor 8 bits of grey" in refused(export(tmp_path, mask.astype(np.uint16)))
    (tmp_path / "SegmentationClass/img-000.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(40))
    assert "not a readable image" in refused(tmp_path)


def test_plain_masks_that_do_not_fit_are_refused(tmp_path):
    save(tmp_path / "img-000.png", np.full(SIZE, 4, np.uint8))
    assert "class id 4 is out of range" in refused(tmp_path)
    save(tmp_path / "img-000.png", coloured(drawn()))
    assert "3 channels, but a mask has one" in refused(tmp_path)
