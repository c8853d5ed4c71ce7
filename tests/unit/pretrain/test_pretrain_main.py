"""The stage as a whole with a generator that was trained elsewhere."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from published_networks import RosinalityDiscriminator, RosinalityGenerator, published_widths

from stages.common.errors import UserError
from stages.common.params import SharedParams
from stages.common.samples import Sample, write_set
from stages.common.tracking import Tracker
from stages.pretrain.__main__ import main
from stages.pretrain.build import load_discriminator, load_generator
from stages.pretrain.params import MeasureParams, PretrainParams
from stages.pretrain.pretrained import load_pretrained

WIDTHS = published_widths(16, 128, 12)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """60 colour images of 16x16 and the generator of such images, in given.pt."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    lay_out(channels=3)
    torch.manual_seed(0)
    generator, critic = RosinalityGenerator(16, 10, 2, WIDTHS), RosinalityDiscriminator(WIDTHS)
    torch.save({"g_ema": generator.state_dict()}, "given.pt")
    torch.save({"g_ema": generator.state_dict(), "d": critic.state_dict()}, "both.pt")
    return tmp_path


def lay_out(channels, size=16):
    images = np.random.default_rng(0).integers(0, 256, (60, size, size, channels), dtype=np.uint8)
    write_set(Path("data/prepare/unlabeled"), (Sample(f"u-{i:06d}", image) for i, image in enumerate(images)))


def run(weights):
    params = PretrainParams(weights=Path(weights), measure=MeasureParams(samples=50))
    main(params, SharedParams(seed=0, device="cpu"), Tracker(None))


def test_a_given_generator_is_measured_pictured_and_passed_on_without_training(project, capsys):
    run("given.pt")
    assert [path.name for path in (project / "models/pretrain").iterdir()] == ["generator.safetensors"]
    z = torch.randn(2, 10)
    passed_on = load_generator(project / "models/pretrain/generator.safetensors")
    assert torch.equal(passed_on(z, 0.5), load_pretrained(Path("given.pt"), 0).generator(z, 0.5))
    reports = project / "reports/pretrain"
    assert set(json.loads((reports / "metrics.json").read_text())) == {
        "gan/fd", "gan/kd", "gan/precision", "gan/recall",
    }  # fmt: skip
    assert {p.name for p in (reports / "pictures").iterdir()} == {"reals.png", "fakes.png", "fakes_untruncated.png"}
    assert (reports / "stats.jsonl").read_bytes() == b""
    assert not (project / ".work").exists()
    assert "taken from given.pt, without a discriminator (see invert.perceptual)" in capsys.readouterr().out


def test_the_discriminator_beside_it_is_passed_on_too(project):
    run("both.pt")
    images = torch.randn(2, 3, 16, 16)
    passed_on = load_discriminator(project / "models/pretrain/discriminator.safetensors")
    assert torch.equal(passed_on(images), load_pretrained(Path("both.pt"), 0).discriminator(images))


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(("channels", "size"), [(1, 16), (3, 32)])
def test_a_generator_of_other_images_is_refused_and_nothing_is_written(channels, size):
    lay_out(channels, size)
    words = rf"draws images of 16x16x3, but the unlabelled images have {size}x{size}x{channels}; set prepare\.resize"
    with pytest.raises(UserError, match=words):
        run("given.pt")
    assert not Path("models").exists()
    assert not Path("reports").exists()
