import numpy as np
import pytest
from released_builders import noise, refused, released, save

from stages.prepare.scan import scan
from stages.prepare.sources import open_source

# Images 0, 7 and 2001 of the release, and the files of CelebA that they were: of its train, val and test.
ORIGINALS = {0: 162770, 7: 162771, 2001: 182638}


def part(rows: slice) -> np.ndarray:
    shown = np.zeros((16, 16), np.uint8)
    shown[rows] = 255
    return shown


# Skin, glasses over the right eye, and a hat over the hair.
PARTS = {"skin": slice(4, 16), "r_eye": slice(6, 7), "eye_g": slice(5, 7), "hair": slice(0, 5), "hat": slice(0, 2)}


def write_faces(root, mapping=True, parts=PARTS):
    for number in ORIGINALS:
        save(root / "CelebA-HQ-img" / f"{number}.jpg", noise((32, 32), number))
        for name, rows in parts.items():
            folder = root / "CelebAMask-HQ-mask-anno" / str(number // 2000)
            save(folder / f"{number:05d}_{name}.png", part(rows))
    if mapping:
        lines = [f"{number} {file - 1} {file:06d}.jpg" for number, file in ORIGINALS.items()]
        text = "idx          orig_idx          orig_file\n" + "\n".join(lines) + "\n"
        (root / "CelebA-HQ-to-CelebA-mapping.txt").write_text(text)
    return released("celebamask", root)


def test_later_parts_are_painted_over_earlier_ones(tmp_path):
    source = open_source(write_faces(tmp_path))
    assert (len(source.spec.classes), source.spec.size, source.spec.channels) == (19, (16, 16), 3)
    pixels = source.records[0].read()
    assert pixels.image.shape == (16, 16, 3)
    names = [source.spec.classes[one] for one in pixels.mask[:, 0]]
    assert names == ["hat"] * 2 + ["hair"] * 3 + ["eye_g"] + ["r_eye"] + ["skin"] * 9


def test_the_articles_merge_parts_and_leave_some_out(tmp_path):
    source = open_source(write_faces(tmp_path).model_copy(update={"classes": "articles"}))
    assert source.spec.classes == ("background", "skin", "nose", "eye", "brow", "ear", "mouth", "hair")
    names = [source.spec.classes[one] for one in source.records[0].read().mask[:, 0]]
    assert names == ["background"] * 2 + ["hair"] * 3 + ["eye"] * 2 + ["skin"] * 9


def test_the_sets_are_those_of_celeba_by_the_name_of_its_file(tmp_path):
    records = open_source(write_faces(tmp_path)).records
    assert [(one.source_id, one.pool) for one in records] == [("0", "labeled"), ("7", "val"), ("2001", "test")]


def test_without_the_mapping_all_images_may_be_split(tmp_path):
    found = scan(open_source(write_faces(tmp_path, mapping=False)), quarantine=False)
    assert [one.pool for one in found.records] == ["labeled"] * 3
    assert found.shows[:, 14].all()  # the hat
    assert not found.shows[:, 16].any()  # the necklace


def test_image_and_mask_of_different_sizes_meet_at_the_size_asked_for(tmp_path):
    params = write_faces(tmp_path).model_copy(update={"resize": (8, 8)})
    pixels = open_source(params).records[0].read()
    assert pixels.image.shape[:2] == pixels.mask.shape == (8, 8)
    assert pixels.mask[:, 0].tolist() == [14, 13, 3, 1, 1, 1, 1, 1]


def test_every_mistake_is_one_sentence(tmp_path):
    params = write_faces(tmp_path)
    assert refused(params.model_copy(update={"path": None})).startswith(
        "prepare.path: not set; source celebamask needs the one with CelebA-HQ-img/ and CelebAMask-HQ-mask-anno/"
    )
    assert refused(params.model_copy(update={"resize": None})).startswith("prepare.resize: not set; source celebamask")
    assert refused(params.model_copy(update={"path": tmp_path / "CelebA-HQ-img"})).endswith(
        "CelebA-HQ-img: no 0.jpg or the like; put the images of CelebAMask-HQ there"
    )
    assert "prepare.classes: celebamask has no 8; choose one of full, articles" in refused(
        params.model_copy(update={"classes": "8"})
    )
    masks = tmp_path / "CelebAMask-HQ-mask-anno"
    save(masks / "1/02001_nose.png", np.zeros((9, 9), np.uint8))
    assert "02001_nose.png: the part is 9 x 9 pixels, but its image is 16 x 16" in refused(params)
    (masks / "1/02001_nose.png").write_bytes(b"cut off")
    assert "02001_nose.png: not a readable image" in refused(params)
    for path in (masks / "1").iterdir():
        path.unlink()
    assert refused(params) == f"{masks / '1'}: no 02001_skin.png or the like; put the masks of the release there"


@pytest.mark.parametrize("line", ["3 4", "x 4 000005.jpg", "3 4 five.jpg"])
def test_a_damaged_mapping_is_one_sentence(tmp_path, line):
    params = write_faces(tmp_path)
    with (tmp_path / "CelebA-HQ-to-CelebA-mapping.txt").open("a") as file:
        file.write(line + "\n")
    assert f"mapping.txt: {line!r} is no number, index and file of CelebA" in refused(params)
