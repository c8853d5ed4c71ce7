"""Distances against a direct computation."""

import numpy as np
import pytest
import scipy.linalg
import torch

from stages.pretrain.distances import distances, precision_recall


def test_frechet_distance_equals_the_formula():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(200, 6)), rng.normal(0.5, 1.5, size=(300, 6))
    covariances = np.cov(a.T), np.cov(b.T)
    root = scipy.linalg.sqrtm(covariances[0] @ covariances[1]).real
    expected = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(covariances[0] + covariances[1] - 2 * root)
    found = distances(torch.tensor(a).float(), torch.tensor(b).float(), 3)
    assert found["gan/fd"] == pytest.approx(expected, rel=1e-3)


def test_precision_and_recall_tell_quality_from_coverage():
    line = torch.arange(20.0)[:, None]
    few = line[:5] + 0.1
    precision, recall = precision_recall(line, few, k=1)
    assert precision == 1.0
    assert recall == pytest.approx(6 / 20)
    assert precision_recall(line, line + 100, k=1) == (0.0, 0.0)
