"""Published StyleGAN2 generators: the same images as plainly written networks, and one sentence for anything else."""

import argparse
import os
import pickle

import pytest
import torch
from published_networks import (
    AdaGenerator,
    RosinalityDiscriminator,
    RosinalityGenerator,
    published_widths,
)
from safetensors.torch import save_file

from stages.common.errors import UserError
from stages.pretrain.generator import channels_at
from stages.pretrain.pretrained import load_pretrained, recognise
from stages.pretrain.pretrained.layout import network_of

PSI = 0.7


def rosinality(size=16, limit=12, layers=2, seed=0):
    torch.manual_seed(seed)
    return RosinalityGenerator(size, 10, layers, published_widths(size, 128, limit)).requires_grad_(False)


def ada(size=16, limit=12, layers=2, channels=3, seed=0):
    torch.manual_seed(seed)
    return AdaGenerator(size, 7, 10, layers, published_widths(size, 128, limit), channels).requires_grad_(False)


def saved(path, content):
    torch.save(content, path)
    return path


def random_latents(count, *shape):
    return torch.randn(count, *shape, generator=torch.Generator().manual_seed(9))


def assert_same(ours, theirs):
    assert theirs.std() > 0.5
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=0)


@pytest.mark.parametrize("size", [64, 256])
def test_a_rosinality_checkpoint_draws_the_same_images(tmp_path, size):
    torch.manual_seed(3)
    theirs = RosinalityGenerator(size, 32, 3, published_widths(size, 2048, 32)).requires_grad_(False)
    mean = torch.randn(32)
    path = saved(tmp_path / "checkpoint.pt", {"g_ema": theirs.state_dict(), "latent_avg": mean})
    gan = load_pretrained(path, seed=0)
    ws = random_latents(2, gan.generator.num_ws, 32)
    assert gan.generator(random_latents(2, 32)).shape == (2, 3, size, size)
    assert_same(gan.generator.synthesis(ws), theirs.synthesis(ws))
    assert_same(gan.generator(random_latents(2, 32), PSI), theirs(random_latents(2, 32), PSI, mean))


def test_an_ada_state_dict_draws_the_same_images(tmp_path):
    torch.manual_seed(4)
    theirs = AdaGenerator(64, 24, 32, 3, published_widths(64, 1024, 32)).requires_grad_(False)
    gan = load_pretrained(saved(tmp_path / "generator.pt", theirs.state_dict()), seed=0)
    ws = random_latents(2, gan.generator.num_ws, 32)
    assert_same(gan.generator.synthesis(ws), theirs.drawn(ws))
    assert_same(gan.generator(random_latents(2, 24), PSI), theirs(random_latents(2, 24), PSI))


def test_small_weights_of_ada_meet_the_same_constant_in_the_demodulation(tmp_path):
    theirs = ada()
    for name, tensor in theirs.state_dict().items():
        if ".conv" in name and name.endswith(".weight") and tensor.dim() == 4:
            tensor.mul_(3e-6)
    gan = load_pretrained(saved(tmp_path / "generator.pt", theirs.state_dict()), seed=0)
    ws = random_latents(2, gan.generator.num_ws, 10)
    assert_same(gan.generator.synthesis(ws), theirs.drawn(ws))


@pytest.mark.parametrize("make", [rosinality, ada])
def test_every_tensor_of_the_file_shows_in_the_images(tmp_path, make):
    state = make().state_dict()
    z = random_latents(2, 7 if make is ada else 10)
    whole = {**state, **({} if make is ada else {"latent_avg": torch.ones(10)})}
    images = load_pretrained(saved(tmp_path / "whole.pt", whole), seed=0).generator(z, PSI)
    for name in whole:
        changed = saved(tmp_path / "changed.pt", whole | {name: whole[name] + 0.3 * whole[name].abs().mean()})
        if name.endswith(("kernel", "resample_filter")):
            with pytest.raises(UserError, match="is not the filter"):
                load_pretrained(changed, seed=0)
        else:
            assert (load_pretrained(changed, seed=0).generator(z, PSI) - images).abs().max() > 1e-3, name


@pytest.mark.parametrize("size", [8, 16, 32, 64, 128, 256, 512, 1024])
@pytest.mark.parametrize("multiplier", [1, 2])
@pytest.mark.parametrize("layers", [2, 8])
def test_size_widths_and_depth_are_those_of_the_file(size, multiplier, layers):
    widths = published_widths(size, 16384 * multiplier, 512)
    with torch.device("meta"):
        files = [RosinalityGenerator(size, 512, layers, widths), AdaGenerator(size, 512, 512, layers, widths)]
    for theirs in files:
        tensors = dict(theirs.state_dict())
        layout = recognise(tensors)
        assert set(layout.names) - {"latent_avg"} <= set(tensors)
        ours = {own: tensors[name] for name, own in layout.names.items() if name in tensors}
        network, found, channels = network_of(ours, layout)
        assert (found, channels, network.mapping_layers) == ((size, size), 3, layers)
        assert [channels_at(i, network.channel_base, network.channel_limit) for i in range(len(widths))] == widths


def test_safetensors_and_nested_dicts_hold_the_same_generator(tmp_path):
    state = {name: tensor.contiguous() for name, tensor in ada().state_dict().items()}
    save_file(state, tmp_path / "flat.safetensors")
    flat = load_pretrained(tmp_path / "flat.safetensors", seed=0)
    nested = load_pretrained(saved(tmp_path / "nested.pt", {"G_ema": state}), seed=0)
    z = random_latents(2, 7)
    assert torch.equal(flat.generator(z, PSI), nested.generator(z, PSI))


def test_grey_generators_are_taken_too(tmp_path):
    gan = load_pretrained(saved(tmp_path / "grey.pt", ada(channels=1).state_dict()), seed=0)
    assert (gan.channels, gan.generator(random_latents(2, 7)).shape) == (1, (2, 1, 16, 16))


def test_without_a_mean_latent_samples_give_it(tmp_path):
    theirs = rosinality()
    path = saved(tmp_path / "checkpoint.pt", {"g_ema": theirs.state_dict()})
    first, again, other = (load_pretrained(path, seed).generator.centres for seed in (0, 0, 1))
    expected = theirs.style(torch.randn(200_000, 10)).mean(dim=0)
    torch.testing.assert_close(first[0], expected, atol=0.05, rtol=0)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_the_discriminator_of_a_rosinality_checkpoint_judges_alike(tmp_path):
    generator = rosinality(size=32)
    theirs = RosinalityDiscriminator(published_widths(32, 128, 12)).requires_grad_(False)
    content = {"g_ema": generator.state_dict(), "d": theirs.state_dict()}
    critic = load_pretrained(saved(tmp_path / "checkpoint.pt", content), seed=0).discriminator
    images = random_latents(4, 3, 32, 32)
    for ours, expected in zip(critic.features(images), theirs.features(images), strict=True):
        torch.testing.assert_close(ours, expected, atol=1e-4, rtol=0)
    torch.testing.assert_close(critic(images), theirs(images), atol=1e-4, rtol=0)


def test_a_checkpoint_of_a_rosinality_training_opens_with_its_options(tmp_path):
    state = rosinality().state_dict()
    content = {"g": state, "g_ema": state, "g_optim": {"state": {}}, "args": argparse.Namespace(size=16, lr=0.002)}
    gan = load_pretrained(saved(tmp_path / "000100.pt", content), seed=0)
    assert gan.discriminator is None
    assert gan.generator.size == (16, 16)


class Attack:
    """What a pickle can do when it is loaded."""

    def __reduce__(self):
        return os.mkdir, ("attacked",)


@pytest.mark.parametrize("zipped", [True, False])
def test_pickled_objects_are_refused_and_their_code_does_not_run(tmp_path, monkeypatch, zipped):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "network.pkl"
    torch.save({"G_ema": Attack()}, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(UserError, match=r"network\.pkl: holds pickled objects, .* convert it: .* state_dict\(\)"):
        load_pretrained(path, seed=0)
    assert not (tmp_path / "attacked").exists()


def test_a_bare_pickle_is_refused_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ffhq.pkl").write_bytes(pickle.dumps({"G_ema": Attack()}))
    with pytest.raises(UserError, match=r"ffhq\.pkl: holds pickled objects"):
        load_pretrained(tmp_path / "ffhq.pkl", seed=0)
    assert not (tmp_path / "attacked").exists()


@pytest.mark.parametrize("name", ["weights.pt", "weights.safetensors"])
@pytest.mark.parametrize("content", [b"", b"no weights at all", b"PK\x03\x04 cut off", bytes(range(256))])
def test_what_is_no_file_of_weights_is_said_in_one_sentence(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=r"is neither a \.safetensors nor a torch file|cannot be read as safetensors"):
        load_pretrained(tmp_path / name, seed=0)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"pretrain\.weights: .*none\.pt: no such file"):
        load_pretrained(tmp_path / "none.pt", seed=0)


def without(state, name):
    return {key: value for key, value in state.items() if key != name}


ROSINALITY, ADA = rosinality().state_dict(), ada().state_dict()
WRONG = {
    "a list": ([1], "holds a list"),
    "nothing": ({}, "none of its 0 tensors is input.input"),
    "other names": ({"layer.weight": torch.ones(2)}, "its first is layer.weight; give the state dict"),
    "no style": (without(ROSINALITY, "style.2.bias"), "lacks the tensor style.2.bias; save the whole"),
    "no noise": (without(ADA, "synthesis.b16.conv0.noise_const"), "lacks the tensor synthesis.b16.conv0.noise_const"),
    "several": ({"input.input": torch.ones(1, 4, 4, 4)}, r"lacks the tensor style.1.weight and \d+ others"),
    "a shape": (
        ROSINALITY | {"convs.1.conv.modulation.bias": torch.ones(5)},
        "convs.1.conv.modulation.bias has the shape 5, where this network has 12",
    ),
    "no shape": (ADA | {"mapping.fc0.weight": torch.ones(())}, "shapes that no StyleGAN2 generator has"),
    "no weight": (ADA | {"synthesis.b8.conv0.weight": torch.ones(())}, "has the shape one number, where"),
    "widths": (
        ROSINALITY | {"conv1.activate.bias": torch.ones(3)},
        "has maps of 3, 12, 8 channels from 4 pixels up; only widths",
    ),
    "residual": (ADA | {"synthesis.b8.skip.weight": torch.ones(1)}, "has the tensor synthesis.b8.skip.weight, which a"),
    "conditional": (ADA | {"mapping.embed.weight": torch.ones(1)}, "is a conditional generator"),
    "discriminator": ({"g_ema": ROSINALITY, "d": {"a": torch.ones(1)}}, "lacks the tensor convs.0.0.weight and"),
}


@pytest.mark.parametrize(("content", "sentence"), WRONG.values(), ids=WRONG)
def test_other_networks_are_refused_in_one_sentence(tmp_path, content, sentence):
    with pytest.raises(UserError, match=rf"weights\.pt: .*{sentence}") as caught:
        load_pretrained(saved(tmp_path / "weights.pt", content), seed=0)
    assert "\n" not in str(caught.value)
