"""Parameters of the validate stage."""

from typing import Annotated, Literal

from pydantic import Field

from stages.common.params import Params

Severity = Literal["critical", "warning"]


class SeverityParams(Params):
    """By expectation (`suite.py` says what each one asks): `critical` stops the pipeline, `warning` is reported.

    Samples that break an expectation go to the quarantine whatever its severity.
    """

    index_columns: Severity = "critical"
    unique_keys: Severity = "critical"
    pixel_format: Severity = "critical"
    known_classes: Severity = "critical"
    boxes_inside: Severity = "critical"
    boxes_with_area: Severity = "critical"
    image_has_class: Severity = "critical"
    keypoints_inside: Severity = "critical"
    valid_depth: Severity = "critical"
    genuine_reals: Severity = "critical"
    valid_uncertainty: Severity = "critical"
    label_not_empty: Severity = "critical"
    label_in_place: Severity = "critical"
    label_aligned: Severity = "critical"
    label_kept: Severity = "critical"
    label_unmoved: Severity = "critical"
    no_noise: Severity = "critical"
    no_training_copy: Severity = "critical"
    no_exact_duplicate: Severity = "warning"
    no_near_duplicate: Severity = "warning"
    no_one_pixel_regions: Severity = "warning"
    usual_region_count: Severity = "warning"
    usual_region_size: Severity = "warning"
    usual_foreground: Severity = "warning"
    usual_arrangement: Severity = "warning"
    usual_depth: Severity = "warning"
    usual_contrast: Severity = "warning"
    usual_uncertainty: Severity = "warning"
    usual_class_share: Severity = "warning"
    enough_accepted: Severity = "critical"
    few_quarantined: Severity = "critical"


Share = Annotated[float, Field(ge=0, le=1)]


class MaxShareParams(Params):
    """By expectation about single samples: the share of the judged samples, 0 to 1, that may break it before it fails.

    Zero where a single case means a broken program instead of a weak sample.
    """

    unique_keys: Share = 0.0
    pixel_format: Share = 0.0
    known_classes: Share = 0.0
    boxes_inside: Share = 0.0
    boxes_with_area: Share = 0.0
    image_has_class: Share = 0.0
    keypoints_inside: Share = 0.25
    valid_depth: Share = 0.0
    genuine_reals: Share = 0.0
    valid_uncertainty: Share = 0.0
    label_not_empty: Share = 0.25
    label_in_place: Share = 0.25
    label_aligned: Share = 0.25
    label_kept: Share = 0.25
    label_unmoved: Share = 0.25
    no_noise: Share = 0.25
    no_training_copy: Share = 0.25
    no_exact_duplicate: Share = 0.05
    no_near_duplicate: Share = 0.05
    no_one_pixel_regions: Share = 0.1
    usual_region_count: Share = 0.1
    usual_region_size: Share = 0.1
    usual_foreground: Share = 0.1
    usual_arrangement: Share = 0.1
    usual_depth: Share = 0.1
    usual_contrast: Share = 0.1
    usual_uncertainty: Share = 0.1


class ValidateParams(Params):
    """Section `validate` of params.yaml.

    A bound `against the reference` starts from a low or high quantile of that fact over the labelled real images and
    is widened by its tolerance, because the reference is small and generated images are a bit softer than real ones.
    """

    quantile: float = Field(default=0.05, gt=0, lt=0.5)
    """Low quantile of a fact over the reference; the high one is 1 - quantile. In (0, 0.5)."""
    size_factor: float = Field(default=4.0, ge=1)
    """Region size, foreground and contrast may lie this factor outside of the reference's quantiles."""
    noise_factor: float = Field(default=3.0, ge=1)
    """High-frequency share of an image: at most this factor of the reference's high quantile."""
    alignment_factor: float = Field(default=0.7, gt=0, le=1)
    """Alignment of label borders and image edges: at least this factor of the reference's low quantile."""
    extra_shift: float = Field(default=2.5, ge=0)
    """Apparent shift of a label, in pixels, allowed beyond the reference's high quantile."""
    min_label_iou: float = Field(default=0.5, ge=0, le=1)
    """Overlap of what a segmenter finds in an image before and after refining; less means that its label moved."""
    max_label_shift: float | None = Field(default=None, ge=0)
    """Pixels between the centres of what it finds before and after; null asks for the overlap alone."""
    extra_regions: int = Field(default=3, ge=0)
    """Regions of a label allowed beyond the most in the reference."""
    extra_specks: int = Field(default=2, ge=0)
    """One-pixel regions allowed beyond the most in the reference: correct labels of thin strokes have one or two."""
    arrangement_factor: float = Field(default=1.5, ge=1)
    """Keypoints may lie this factor farther from the reference's mean places than its high quantile does."""
    class_factor: float = Field(default=4.0, ge=1)
    """A class may be this factor rarer or more frequent, as a share of the images, than in the reference."""
    max_uncertainty: float | None = Field(default=None, ge=0)
    """Highest uncertainty of a sample; null: the set's upper quartile plus `uncertainty_spread` quartile ranges."""
    uncertainty_spread: float = Field(default=6.0, gt=0)
    """Quartile ranges above the upper quartile at which a sample is an outlier."""
    copy_quantile: float = Field(default=0.01, ge=0, le=1)
    """Quantile of the distances between real images and their nearest other real image: as close as distinct gets."""
    copy_factor: float = Field(default=0.6, gt=0, le=1)
    """A sample closer than this factor of that distance is a copy or a near duplicate."""
    copy_floor: float = Field(default=1.5, ge=0)
    """Grey levels (root mean square) within which two images are the same, however alike the real ones are."""
    copy_reach: int = Field(default=1, ge=0, le=4)
    """Copies are looked for under shifts of up to this many pixels (of the image reduced to a side of 32)."""
    min_accepted: int = Field(default=5, ge=1)
    """Fewest accepted samples that a training set may have."""
    max_quarantined: float = Field(default=0.5, ge=0, le=1)
    """Largest share of quarantined samples."""
    pictures: int = Field(default=64, ge=0)
    """Samples in each picture of the report; 0 draws none."""
    severity: SeverityParams = SeverityParams()
    """Severity by expectation, for example `severity: {no_noise: warning}`."""
    max_share: MaxShareParams = MaxShareParams()
    """Share of failing samples by expectation, for example `max_share: {no_near_duplicate: 0.1}`."""
