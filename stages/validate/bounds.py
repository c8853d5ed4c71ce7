"""Bounds of the facts, derived from the labelled real images and the tolerances."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from stages.common.spec import DatasetSpec
from stages.validate.alignment import REACH
from stages.validate.annotations import class_column
from stages.validate.facts import WHITE_NOISE
from stages.validate.params import ValidateParams

Range = tuple[float, float]
EVERY: Range = (0.0, float("inf"))


@dataclass(frozen=True)
class Bounds:
    """What a sample may have, bounds included. Ranges are (lowest, highest).

    regions, specks: None without labels in the reference. uncertainty: None when the samples do not differ, so that no
    one is an outlier. copy_distance: samples closer than this, in grey levels, are copies. class_share: by class id,
    for the classes that the reference has. misplaced: of keypoints, as `misplaced` measures it; median_depth: in the
    unit of the data.
    """

    labelled_pixels: int
    foreground_share: Range
    largest_region: Range
    regions: int | None
    specks: int | None
    contrast: Range
    noise: float
    aligned: float
    shift_px: float
    uncertainty: float | None
    copy_distance: float
    class_share: dict[int, Range]
    misplaced: float | None = None
    median_depth: Range = EVERY


def derive_bounds(
    reference: pd.DataFrame, uncertainty: np.ndarray, usual_distance: float, spec: DatasetSpec, params: ValidateParams
) -> Bounds:
    """Bounds from the facts of the reference (a row a real sample), the uncertainties of the judged generated samples,
    and the distance at which distinct real images come closest (grey levels).
    """
    low, high = params.quantile, 1 - params.quantile
    outlier = outlier_bound(uncertainty, params.uncertainty_spread)
    return Bounds(
        labelled_pixels=int(quantile(reference["labelled_pixels"], 0.0, 0.0) > 0),
        foreground_share=spread(reference["foreground_share"], params, top=1.0),
        largest_region=spread(reference["largest_region"], params, top=spec.size[0] * spec.size[1]),
        regions=most(reference["regions"], params.extra_regions),
        specks=most(reference["specks"], params.extra_specks),
        contrast=spread(reference["contrast"], params, top=255.0),
        noise=noise_bound(quantile(reference["noise"], high, WHITE_NOISE), params.noise_factor),
        aligned=quantile(reference["aligned"], low, 0.0) * params.alignment_factor,
        shift_px=quantile(reference["shift_px"], high, 2 * REACH) + params.extra_shift,
        uncertainty=outlier if params.max_uncertainty is None else params.max_uncertainty,
        copy_distance=max(params.copy_floor, usual_distance * params.copy_factor),
        class_share={c: class_range(reference[class_column(c)], params) for c in spec.foreground},
        misplaced=farthest(reference, high, params.arrangement_factor),
        median_depth=spread(reference["median_depth"], params, top=np.inf) if "median_depth" in reference else EVERY,
    )


def farthest(reference: pd.DataFrame, share: float, factor: float) -> float | None:
    """`factor` times a high quantile of how far the reference's own keypoints lie from their mean places."""
    values = reference["misplaced"].dropna() if "misplaced" in reference else pd.Series(dtype=np.float64)
    return float(values.quantile(share)) * factor if len(values) else None


def most(values: pd.Series, extra: int) -> int | None:
    """The largest of the values that are there and so many more; None when none is."""
    there = values.dropna()
    return int(there.max()) + extra if len(there) else None


def quantile(values: pd.Series, share: float, otherwise: float) -> float:
    """Quantile of the values that are there, or `otherwise` when none is."""
    there = values.dropna()
    return float(there.quantile(share)) if len(there) else otherwise


def spread(values: pd.Series, params: ValidateParams, top: float) -> Range:
    """From the low quantile divided by the size factor to the high one times it, at most `top`."""
    low = quantile(values, params.quantile, 0.0) / params.size_factor
    return low, min(top, quantile(values, 1 - params.quantile, top) * params.size_factor)


def noise_bound(usual: float, factor: float) -> float:
    """`factor` times the usual share of fine texture, but no nearer to white noise than to the usual."""
    return min(usual * factor, (usual + WHITE_NOISE) / 2)


def class_range(present: pd.Series, params: ValidateParams) -> Range:
    """Shares of images, 0 to 1, that may have a class; anything where the reference has none.

    Two standard errors are added on top: in a small reference, a rare class is often one image.
    """
    share = float(present.mean())
    error = 2 * (share * (1 - share) / max(len(present), 1)) ** 0.5
    return (share / params.class_factor, min(1.0, share * params.class_factor + error)) if share > 0 else (0.0, 1.0)


def outlier_bound(values: np.ndarray, ranges: float) -> float | None:
    """Upper quartile plus `ranges` quartile ranges; None where the quartiles are the same."""
    there = values[np.isfinite(values)]
    if not len(there):
        return None
    lower, upper = np.quantile(there, [0.25, 0.75])
    return float(upper + ranges * (upper - lower)) if upper > lower else None
