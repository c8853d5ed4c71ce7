"""Samples, weights, checkpoints and folders on disk."""

import numpy as np
import pytest
import torch

from stages.common.checkpoint import WorkFolder
from stages.common.digests import work_digest
from stages.common.errors import UserError
from stages.common.paths import publish, require
from stages.common.samples import Sample, iterate_samples, read_index, read_set, read_table, write_set
from stages.common.tensors import to_arrays, to_images
from stages.common.weights import load_into, load_weights, save_weights


def some_samples(count=5, channels=3):
    rng = np.random.default_rng(0)
    for i in range(count):
        image = rng.integers(0, 256, (6, 4, channels), dtype=np.uint8)
        yield Sample(f"s-{i}", image, rng.integers(0, 3, (6, 4), dtype=np.uint8), {"number": i, "name": f"n{i}"})


@pytest.mark.parametrize("channels", [1, 3])
def test_what_is_written_is_read_again(tmp_path, channels):
    write_set(tmp_path, some_samples(channels=channels), shard_size=2)
    found, expected = read_set(tmp_path), list(some_samples(channels=channels))
    assert [p.name for p in sorted(tmp_path.glob("*.tar"))] == [f"shard-00000{i}.tar" for i in range(3)]
    assert np.array_equal(found.images, np.stack([s.image for s in expected]))
    assert np.array_equal(found.require_masks(), np.stack([s.mask for s in expected]))
    assert found.index["number"].tolist() == list(range(5))


def test_shards_are_the_same_bytes_each_time_and_webdataset_reads_them(tmp_path):
    import webdataset

    for name in ("a", "b"):
        write_set(tmp_path / name, some_samples())
    shard = "shard-000000.tar"
    assert (tmp_path / "a" / shard).read_bytes() == (tmp_path / "b" / shard).read_bytes()
    read = list(webdataset.WebDataset(str(tmp_path / "a" / shard), shardshuffle=False).decode("rgb8"))
    assert [r["__key__"] for r in read] == [f"s-{i}" for i in range(5)]
    assert np.array_equal(read[0]["image.png"], next(some_samples()).image)


def test_chosen_keys_come_in_the_order_of_the_index(tmp_path):
    write_set(tmp_path, some_samples(), shard_size=2)
    assert read_set(tmp_path, ["s-4", "s-1"]).index["key"].tolist() == ["s-1", "s-4"]


def test_a_folder_without_an_index_is_named(tmp_path):
    with pytest.raises(UserError, match=r"index\.parquet"):
        read_index(tmp_path)


def test_a_damaged_table_is_one_sentence(tmp_path):
    (tmp_path / "index.parquet").write_bytes(b"x\n")
    for read in (lambda: read_index(tmp_path), lambda: read_table(tmp_path / "index.parquet")):
        with pytest.raises(UserError, match=r"index\.parquet: damaged; delete its folder and run `dvc repro`"):
            read()


def test_images_survive_the_way_to_tensors_and_back():
    arrays = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
    images = to_images(arrays)
    assert (images.min().item(), images.max().item()) == (-1.0, 1.0)
    assert np.array_equal(to_arrays(images), arrays)


def test_weights_keep_their_config_and_refuse_garbage(tmp_path):
    save_weights(tmp_path / "w.safetensors", {"a": torch.arange(3.0)}, {"k": [1, 2]})
    tensors, config = load_weights(tmp_path / "w.safetensors")
    assert tensors["a"].tolist() == [0, 1, 2]
    assert config == {"k": [1, 2]}
    (tmp_path / "bad.safetensors").write_bytes(b"nonsense")
    with pytest.raises(UserError, match="cannot be read"):
        load_weights(tmp_path / "bad.safetensors")


def test_weights_of_another_architecture_are_refused_in_one_sentence():
    tensors = torch.nn.Linear(3, 2).state_dict()
    assert not load_into(torch.nn.Linear(3, 2), tensors).training
    with pytest.raises(UserError, match="do not fit the Linear"):
        load_into(torch.nn.Linear(4, 2), tensors)


def test_a_work_folder_keeps_state_by_digest(tmp_path):
    work = WorkFolder("stage", "abc", tmp_path)
    assert work.load() is None
    work.save({"x": torch.ones(2), "step": 3})
    assert WorkFolder("stage", "abc", tmp_path).load()["step"] == 3
    assert WorkFolder("stage", "other", tmp_path).load() is None
    work.clear()
    assert work.load() is None


def test_the_digest_changes_with_params_and_with_any_byte(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "f").write_text("a")
    first = work_digest("label", [{"p": 1}], [tmp_path / "in"])
    assert first == work_digest("label", [{"p": 1}], [tmp_path / "in"])
    assert first != work_digest("label", [{"p": 2}], [tmp_path / "in"])
    (tmp_path / "in" / "f").write_text("b")
    assert first != work_digest("label", [{"p": 1}], [tmp_path / "in"])


@pytest.mark.parametrize("changed", ["stages/toy/part.py", "stages/common/helper.py"])
def test_the_digest_changes_with_the_code_of_the_stage_and_with_what_it_imports(tmp_path, changed):
    files = {
        "stages/toy/__main__.py": "from stages.common.helper import value",
        "stages/toy/part.py": "part = 1",
        "stages/common/helper.py": "value = 1",
        "stages/common/unused.py": "value = 1",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    first = work_digest("toy", [], [], tmp_path)
    (tmp_path / "stages/common/unused.py").write_text("value = 2")
    assert first == work_digest("toy", [], [], tmp_path)
    (tmp_path / changed).write_text("value = 2")
    assert first != work_digest("toy", [], [], tmp_path)


def test_publish_replaces_whole_or_not_at_all(tmp_path):
    out = tmp_path / "out"
    with publish(out) as folder:
        (folder / "old").write_text("1")

    def fail():
        with publish(out) as folder:
            (folder / "new").write_text("2")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert [p.name for p in tmp_path.iterdir()] == ["out"]
    assert [p.name for p in out.iterdir()] == ["old"]
    (out / ".gitignore").write_text("/shards")
    with publish(out) as folder:
        (folder / "new").write_text("2")
    assert {p.name: p.read_text() for p in out.iterdir()} == {".gitignore": "/shards", "new": "2"}


def test_a_missing_input_names_the_stage_that_makes_it(tmp_path):
    with pytest.raises(UserError, match="dvc repro label"):
        require(tmp_path / "x", "label")


def test_a_damaged_or_missing_shard_is_one_sentence(tmp_path):
    image = np.random.default_rng(0).integers(0, 255, (32, 32, 1), np.uint8)
    write_set(tmp_path, [Sample(f"k{i}", image) for i in range(20)])
    shard = tmp_path / "shard-000000.tar"
    whole = shard.read_bytes()
    shard.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match=r"shard-000000\.tar: missing or damaged"):
        read_set(tmp_path)
    zeroed = bytearray(whole)
    zeroed[560:900] = bytes(340)
    shard.write_bytes(bytes(zeroed))
    with pytest.raises(UserError, match=r"shard-000000\.tar: missing or damaged"):
        read_set(tmp_path)
    shard.unlink()
    with pytest.raises(UserError, match=r"shard-000000\.tar: missing or damaged"):
        read_set(tmp_path)


def test_a_saving_is_overdue_after_five_minutes(tmp_path, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr("stages.common.checkpoint.time.monotonic", lambda: now[0])
    work = WorkFolder("stage", "abc", tmp_path)
    assert not work.overdue()
    now[0] += 301
    assert work.overdue()
    work.save({"step": 1})
    assert not work.overdue()


def test_keypoints_depth_and_gaze_are_written_and_read_again(tmp_path):
    random = np.random.default_rng(0)
    image = random.integers(0, 255, (6, 4, 1), np.uint8)
    arrays = {"keypoints": (3, 3), "depth": (6, 4), "gaze": (2,)}
    made = [
        Sample(f"k{i}", image, **{name: random.random(shape, np.float32) for name, shape in arrays.items()})
        for i in range(3)
    ]
    write_set(tmp_path, made)
    found = read_set(tmp_path)
    for name in arrays:
        assert np.array_equal(getattr(found, name), np.stack([getattr(sample, name) for sample in made]))
    assert found.masks is None
    assert found.keypoints is not None
    assert found.keypoints.dtype == np.float32


def test_cut_outs_boxes_and_classes_come_back_as_they_were(tmp_path):
    image, alpha = np.zeros((4, 5, 3), np.uint8), np.arange(20, dtype=np.uint8).reshape(4, 5)
    boxes = np.array([[0, 1, 4.5, 3, 2]], np.float32)
    first = Sample("a", image, alpha=alpha, boxes=boxes, ignored=boxes + 1, class_id=2, facts={"recipe": "real"})
    none = Sample("b", image, alpha=alpha, boxes=np.zeros((0, 5), np.float32), class_id=1, facts={"recipe": "real"})
    write_set(tmp_path, [first, none])
    found = read_set(tmp_path)
    assert (found.alpha == alpha).all()
    assert [b.tolist() for b in found.require_boxes()] == [boxes.tolist(), []]
    assert [b.tolist() for b in found.ignored] == [(boxes + 1).tolist(), []]
    assert read_set(tmp_path, ["b"]).ignored is None
    assert found.require_class_ids().tolist() == [2, 1]
    assert [sample.class_id for sample in iterate_samples(tmp_path)] == [2, 1]
    write_set(tmp_path / "bare", [Sample("c", image)])
    with pytest.raises(UserError, match="lacks boxes"):
        read_set(tmp_path / "bare").require_boxes()
    with pytest.raises(UserError, match="lacks classes"):
        read_set(tmp_path / "bare").require_class_ids()
