import numpy as np
import pytest
import yaml
from folder_builders import refused
from PIL import Image

from stages.common.errors import UserError
from stages.prepare.params import PrepareParams
from stages.prepare.scan import CONSTANT, scan
from stages.prepare.sources import open_source
from stages.prepare.sources.folder import print_unread

CLASSES = ["background", "red", "green", "blue"]


def save(path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels[:, :, 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels).save(path)


def write_tree(root, size=(12, 20), channels=3, labeled=6, test=4, unlabeled=5, **description):
    """A good folder; returns its parameters."""
    random = np.random.default_rng(0)
    for pool, count in (("unlabeled", unlabeled), ("labeled", labeled), ("test", test)):
        for number in range(count):
            folder = root / pool if pool == "unlabeled" else root / pool / "images"
            save(folder / f"{pool[0]}{number}.png", random.integers(0, 256, (*size, channels)).astype(np.uint8))
            if pool != "unlabeled":
                mask = np.zeros(size, np.uint8)
                mask[:3] = number % 3 + 1
                mask[-1] = 255
                save(root / pool / "masks" / f"{pool[0]}{number}.png", mask)
    content = {"name": "toy", "image": {"size": list(size), "channels": channels}, "classes": CLASSES}
    (root / "dataset.yaml").write_text(yaml.safe_dump(content | description))
    return PrepareParams(source="folder", path=root)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_good_tree_is_read_as_it_is(tmp_path, channels):
    params = write_tree(tmp_path, channels=channels)
    source = open_source(params)
    assert source.spec.model_dump(exclude_defaults=True) == {
        "name": "toy",
        "size": (12, 20),
        "channels": channels,
        "classes": tuple(CLASSES),
    }
    found = scan(source, quarantine=False)
    assert [r.pool for r in found.records] == ["unlabeled"] * 5 + ["labeled"] * 6 + ["test"] * 4
    image, mask, *_ = found.records[6].read()
    np.testing.assert_array_equal(
        image.squeeze(), np.asarray(Image.open(tmp_path / "labeled" / "images" / "l1.png")).squeeze()
    )
    assert image.shape == (12, 20, channels)
    assert mask is not None
    assert mask[0, 0] == 2
    assert mask[-1, 0] == 255
    assert found.shows[6].tolist() == [True, False, True, False]
    row = found.table.iloc[6]
    assert (row["height"], row["width"], row["channels"]) == (12, 20, channels)
    assert row["labeled_share"] == pytest.approx(3 / 12)
    assert row["mean"] == pytest.approx(image.mean() / 255)


def test_jpg_grey_and_palette_files_come_out_in_the_declared_channels(tmp_path):
    params = write_tree(tmp_path, channels=3)
    save(tmp_path / "unlabeled" / "x.jpg", np.arange(240, dtype=np.uint8).reshape(12, 20))
    Image.open(tmp_path / "labeled" / "masks" / "l1.png").convert("P").save(tmp_path / "labeled" / "masks" / "l1.png")
    found = scan(open_source(params), quarantine=False)
    assert {r.read().image.shape for r in found.records} == {(12, 20, 3)}


def test_group_is_what_the_pattern_captures_and_else_the_image_itself(tmp_path):
    params = write_tree(tmp_path)
    assert len({record.group for record in open_source(params).records}) == 15
    by_letter = open_source(params.model_copy(update={"group_pattern": "^(.)"})).records
    assert {record.group for record in by_letter} == {"u", "l", "t"}
    sentence = refused(params.model_copy(update={"group_pattern": "^.([0-4])"}))
    assert sentence.startswith("prepare.group_pattern: ^.([0-4]) finds no group in 'l5' (labeled)")


def test_resize_takes_any_size_and_the_mask_along(tmp_path):
    params = write_tree(tmp_path).model_copy(update={"resize": (8, 8)})
    save(tmp_path / "labeled" / "images" / "l0.png", np.full((40, 30, 3), 7, np.uint8))
    save(tmp_path / "labeled" / "masks" / "l0.png", np.full((40, 30), 2, np.uint8))
    source = open_source(params)
    assert source.spec.size == (8, 8)
    found = scan(source, quarantine=False)
    image, mask, *_ = found.records[5].read()
    assert (image == 7).all()
    assert mask is not None
    assert (mask == 2).all()
    assert image.shape[:2] == mask.shape == (8, 8)


def test_a_class_id_out_of_range(tmp_path):
    params = write_tree(tmp_path)
    save(tmp_path / "labeled" / "masks" / "l2.png", np.full((12, 20), 4, np.uint8))
    assert refused(params) == (
        f"{tmp_path}/labeled/masks/l2.png: class id 4 is out of range; "
        "the 4 classes of dataset.yaml are 0 to 3, and 255 is ignored"
    )


def test_a_wide_class_id_is_not_wrapped_into_range(tmp_path):
    params = write_tree(tmp_path)
    save(tmp_path / "labeled" / "masks" / "l2.png", np.full((12, 20), 257, np.uint16))
    assert "class id 257 is out of range" in refused(params)


def test_a_mask_of_another_size(tmp_path):
    params = write_tree(tmp_path)
    save(tmp_path / "test" / "masks" / "t1.png", np.zeros((20, 12), np.uint8))
    assert refused(params) == (f"{tmp_path}/test/masks/t1.png: the mask is 20 x 12 pixels, but its image is 12 x 20")


def test_a_mask_in_colours(tmp_path):
    params = write_tree(tmp_path)
    save(tmp_path / "test" / "masks" / "t1.png", np.zeros((12, 20, 3), np.uint8))
    assert "t1.png: 3 channels, but a mask has one, holding class ids" in refused(params)


def test_a_labelled_image_without_mask_and_a_mask_without_image(tmp_path):
    params = write_tree(tmp_path)
    mask = tmp_path / "labeled" / "masks" / "l3.png"
    mask.rename(mask.with_name("other.png"))
    assert refused(params).startswith(f"{tmp_path}/labeled/masks/other.png: no image of that name")
    mask.with_name("other.png").unlink()
    assert refused(params).startswith(f"{mask}: no such mask; every labelled image needs one")


def test_a_truncated_mask_is_refused_even_with_quarantine(tmp_path):
    params = write_tree(tmp_path)
    mask = tmp_path / "labeled" / "masks" / "l3.png"
    mask.write_bytes(mask.read_bytes()[:50])
    with pytest.raises(UserError, match=r"l3\.png: not a readable image"):
        scan(open_source(params), quarantine=True)


def break_files(root) -> None:
    cut, text, small, flat = (root / "unlabeled" / f"u{number}.png" for number in range(4))
    cut.write_bytes(cut.read_bytes()[:200])
    text.write_text("no image")
    save(small, np.random.default_rng(1).integers(0, 256, (6, 6, 3)).astype(np.uint8))
    save(flat, np.full((12, 20, 3), 8, np.uint8))


def test_quarantine_lists_each_bad_file_with_its_reason(tmp_path):
    params = write_tree(tmp_path)
    break_files(tmp_path)
    found = scan(open_source(params), quarantine=True)
    reasons = {file.rsplit("/", 1)[1]: reason for file, reason in found.bad}
    assert list(reasons) == ["u0.png", "u1.png", "u2.png", "u3.png"]
    assert reasons["u0.png"].startswith("not a readable image (")
    assert reasons["u1.png"].startswith("not a readable image (cannot identify image file)")
    assert reasons["u2.png"].startswith("6 x 6 pixels (height x width), but dataset.yaml says 12 x 20")
    assert reasons["u3.png"] == CONSTANT
    assert len(found.records) == len(found.table) == len(found.shows) == 11


def test_refuse_names_the_first_bad_file(tmp_path):
    params = write_tree(tmp_path)
    break_files(tmp_path)
    assert refused(params).startswith(f"{tmp_path}/unlabeled/u0.png: not a readable image (")


def test_an_image_with_16_bits(tmp_path):
    params = write_tree(tmp_path, channels=1)
    save(tmp_path / "unlabeled" / "u1.png", np.full((12, 20), 999, np.uint16))
    assert "u1.png: more than 8 bits a channel" in refused(params)


def test_missing_parts_of_the_folder(tmp_path):
    assert refused(PrepareParams(source="folder")).startswith("prepare.path: not set")
    assert refused(PrepareParams(source="folder", path=tmp_path / "no")).endswith("needs the one with dataset.yaml")
    assert refused(PrepareParams(source="folder", path=tmp_path)).startswith(f"{tmp_path}/dataset.yaml: no such file")
    params = write_tree(tmp_path, unlabeled=0)
    assert refused(params) == f"{tmp_path}/unlabeled: no such folder; put your images there"


def test_two_labelled_images_for_three_classes(tmp_path):
    assert refused(write_tree(tmp_path, labeled=2)) == (
        f"{tmp_path}/labeled: 2 labelled images for 3 classes; label at least one image a class"
    )


def test_two_images_of_one_name(tmp_path):
    params = write_tree(tmp_path)
    save(tmp_path / "labeled" / "images" / "l1.jpg", np.zeros((12, 20, 3), np.uint8))
    assert "l1.png: l1.jpg has the same name" in refused(params)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"clases": []}, "clases is not a known key; did you mean classes?"),
        ({"classes": ["background"]}, "classes: 1 named; name the background first"),
        ({"classes": ["background", "a", "a"]}, "classes: a is named twice"),
        ({"image": {"size": [12, 20], "channels": 2}}, "image.channels: input should be 1 or 3"),
        ({"image": {"size": [12], "channels": 1}}, "image.size.1: field required"),
        ({"keypoints": {"number": 3}}, "keypoints.count: field required"),
    ],
)
def test_mistakes_in_dataset_yaml(tmp_path, change, sentence):
    assert sentence in refused(write_tree(tmp_path, **change))


def test_mistakes_in_the_pattern():
    for pattern, part in (("(", "no regular expression"), ("abc", "exactly one capturing group")):
        with pytest.raises(ValueError, match=part):
            PrepareParams(group_pattern=pattern)


def test_a_photo_lies_as_its_exif_note_says(tmp_path):
    params = write_tree(tmp_path)
    exif = Image.Exif()
    exif[0x0112] = 6  # turn a quarter clockwise to see it upright
    lying = Image.fromarray(np.repeat(np.arange(12, dtype=np.uint8)[None, :, None] * 20, 20, axis=0).repeat(3, axis=2))
    assert lying.size == (12, 20)
    lying.save(tmp_path / "unlabeled" / "x.jpg", exif=exif, quality=95)
    record = next(r for r in open_source(params).records if r.source_id == "x")
    image = record.read().image
    assert image.shape == (12, 20, 3)
    assert image[0].mean() < 20
    assert image[-1].mean() > 200


def test_a_sub_folder_that_nobody_reads_is_named_with_the_nearest_known_one(tmp_path, capsys):
    params = write_tree(tmp_path)
    for name in ("foreground", "tests", "simulation", "unlabelled", "xyz", ".git", "backgrounds"):
        (tmp_path / name).mkdir()
    open_source(params.model_copy(update={"backgrounds": params.backgrounds.model_copy(update={"source": "none"})}))
    notes = capsys.readouterr().out.splitlines()
    assert notes == [
        f"note: {tmp_path / 'foreground'} is not read; did you mean foregrounds?",
        f"note: {tmp_path / 'simulation'} is not read; did you mean simulated?",
        f"note: {tmp_path / 'tests'} is not read; did you mean test?",
        f"note: {tmp_path / 'unlabelled'} is not read; did you mean unlabeled?",
        f"note: {tmp_path / 'xyz'} is not read; read are unlabeled, labeled, full, test, val, simulated, "
        "foregrounds, backgrounds",
    ]


def test_a_folder_that_the_simulator_reads_is_not_named(tmp_path, capsys):
    (tmp_path / "drawn" / "eyes").mkdir(parents=True)
    print_unread(tmp_path, tmp_path / "drawn" / "eyes")
    assert capsys.readouterr().out == ""
