"""The oracle: it learns digits it is given, and labels by the rules that real digits are labelled by."""

import numpy as np
import torch
from annotate_builders import digit

from stages.annotate.oracle import classes_of, digits_in, oracle_labels, train_oracle
from stages.annotate.params import OracleParams
from stages.common.samples import read_set, write_set

CPU = torch.device("cpu")


def test_two_shapes_are_told_apart_and_the_accuracy_is_of_images_held_back(tmp_path):
    write_set(tmp_path, [digit(number) for number in range(60)])
    samples = read_set(tmp_path)
    assert classes_of(samples).tolist() == [0, 1] * 30
    params = OracleParams(width=4, steps=80, batch=16)
    network, accuracy = train_oracle(samples, params, 0, CPU)
    assert accuracy > 0.9
    assert (digits_in(network, samples.images) == classes_of(samples)).mean() > 0.9
    again, same = train_oracle(samples, params, 0, CPU)
    assert same == accuracy
    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), again.parameters(), strict=True))


def test_an_oracle_that_learned_nothing_is_right_by_chance_alone(tmp_path):
    write_set(tmp_path, [digit(number) for number in range(60)])
    samples = read_set(tmp_path)
    wrong = np.random.default_rng(0).permutation(samples.require_masks())
    for image, mask in zip(wrong, samples.masks, strict=True):
        mask[:] = image
    _, accuracy = train_oracle(samples, OracleParams(width=4, steps=40, batch=16), 0, CPU)
    assert accuracy < 0.9


def test_labels_follow_from_the_ink():
    image = np.zeros((1, 6, 6, 1), np.uint8)
    image[0, 1:5, 2] = 200
    image[0, 2, 3] = 127
    mask = oracle_labels("mask", image, np.array([6]))[0]
    assert mask[1:5, 2].tolist() == [7] * 4
    assert mask.sum() == 4 * 7
    assert oracle_labels("keypoints", image, None)[0].tolist() == [
        [2, 1, 2], [2, 4, 2], [2, 2, 2], [2, 2, 2], [2, 2.5, 2],
    ]  # fmt: skip
    assert oracle_labels("depth", image, None)[0].sum() == 4
