"""The expectations: what a training set must be, in the words of Great Expectations.

Every expectation judges a column of the facts. Its name is its key in params.yaml, where severity and the share of
samples that may break it are set; its sentence stands in the report and its name in the quarantine.
"""

import os
from dataclasses import dataclass
from typing import Any

from stages.common.spec import DatasetSpec
from stages.validate.annotations import class_column
from stages.validate.bounds import Bounds
from stages.validate.params import ValidateParams

REQUIRED_COLUMNS = ("key", "shard", "recipe", "source_id", "uncertainty")


def import_expectations() -> Any:
    """The expectation classes, without telemetry. The import takes seconds, so only this function does it."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    import great_expectations.expectations as gxe

    return gxe


@dataclass(frozen=True)
class Writer:
    """Writes expectations with the severity and the tolerance that params.yaml gives to their name."""

    params: ValidateParams

    def sample(self, name: str, sentence: str, expectation: str, column: str, **asked: Any) -> Any:
        """About every sample: the share that may break it is `max_share.<name>`."""
        share = getattr(self.params.max_share, name)
        written = self.whole(name, sentence, expectation, column=column, mostly=1 - share, **asked)
        written.meta["max_share"] = share
        return written

    def between(self, name: str, sentence: str, column: str, low: float | None, high: float | None) -> Any:
        """About every sample: a column lies within bounds, which belong to it; None leaves one side open."""
        kind = "ExpectColumnValuesToBeBetween"
        return self.sample(name, sentence, kind, column, min_value=low, max_value=high)

    def whole(self, name: str, sentence: str, expectation: str, detail: str = "", **asked: Any) -> Any:
        """About the set as a whole; `detail` tells expectations of one name apart."""
        kind = getattr(import_expectations(), expectation)
        severity = getattr(self.params.severity, name)
        return kind(severity=severity, description=sentence, meta={"name": name, "detail": detail}, **asked)


def sample_suite(bounds: Bounds, spec: DatasetSpec, params: ValidateParams) -> list[Any]:
    """What is asked of the samples and of their mixture. Values that are missing (null) are not judged."""
    write = Writer(params)
    return [
        *file_expectations(write, spec),
        *image_expectations(write, bounds),
        *label_expectations(write, bounds, spec),
        *copy_expectations(write, bounds),
        *class_expectations(write, bounds, spec),
    ]


def file_expectations(write: Writer, spec: DatasetSpec) -> list[Any]:
    """The set is what it says it is: one broken sample means a broken program."""
    exists, unique = "ExpectColumnToExist", "ExpectColumnValuesToBeUnique"
    says = "A sample that says it is real is one of the labelled real images, with its label."
    return [
        *(write.whole("index_columns", f"The index has a column {c}.", exists, c, column=c) for c in REQUIRED_COLUMNS),
        write.sample("unique_keys", "No two samples have the same key.", unique, "key"),
        write.between("pixel_format", "Image and label are 8 bit and of the data set's size.", "well_formed", 1, None),
        *class_id_expectations(write, spec),
        write.between("genuine_reals", says, "genuine_real", 1, None),
        write.between("valid_uncertainty", "The uncertainty is a number from 0 on.", "valid_uncertainty", 1, None),
    ]


def class_id_expectations(write: Writer, spec: DatasetSpec) -> list[Any]:
    """What must hold for the ids, and the boxes, of the kind of labels that the data set has."""
    if spec.labels == "boxes":
        return [
            write.between("known_classes", "Every box is of a known class.", "unknown_boxes", None, 0),
            write.between("boxes_inside", "Every box lies within its image.", "boxes_outside", None, 0),
            write.between("boxes_with_area", "Every box has an area.", "boxes_without_area", None, 0),
        ]
    if spec.labels == "image":
        return [
            write.between("known_classes", "The class of every image is known.", "unknown_class", None, 0),
            write.between("image_has_class", "Every image has a class.", "missing_class", None, 0),
        ]
    known = "Every labelled pixel is of a known class."
    inside = "Every known keypoint lies within its image."
    valid = "The depth of every pixel is a number from 0 on."
    return [
        *([write.between("known_classes", known, "unknown_pixels", None, 0)] if spec.classes else ()),
        *([write.between("keypoints_inside", inside, "keypoints_outside", None, 0)] if spec.keypoints else ()),
        *([write.between("valid_depth", valid, "invalid_depth", None, 0)] if spec.depth else ()),
    ]


def label_expectations(write: Writer, bounds: Bounds, spec: DatasetSpec) -> list[Any]:
    """The label marks something, where the image shows it, about as real labels do."""
    agree = "The ensemble agrees on the label: the sample is no outlier in uncertainty."
    return [
        *kind_expectations(write, bounds, spec),
        write.between("usual_uncertainty", agree, "uncertainty", 0, bounds.uncertainty),
    ]


def kind_expectations(write: Writer, bounds: Bounds, spec: DatasetSpec) -> list[Any]:
    """What is asked of the kind of labels that the data set has."""
    if spec.labels == "boxes":
        return box_expectations(write, bounds)
    if spec.labels == "image":
        return []
    if spec.classes or spec.gaze:
        return mask_expectations(write, bounds)
    return keypoint_expectations(write, bounds) if spec.keypoints else depth_expectations(write, bounds)


def keypoint_expectations(write: Writer, bounds: Bounds) -> list[Any]:
    """What is asked of keypoints alone."""
    some = "Every image has a keypoint, where all real ones have."
    extent = "The box around the keypoints is about as large as in real samples."
    arranged = "The keypoints lie to one another about as in real samples."
    return [
        write.between("label_not_empty", some, "labelled_pixels", bounds.labelled_pixels, None),
        write.between("usual_region_size", extent, "largest_region", *bounds.largest_region),
        write.between("usual_arrangement", arranged, "misplaced", 0, bounds.misplaced),
    ]


def depth_expectations(write: Writer, bounds: Bounds) -> list[Any]:
    """What is asked of depth alone."""
    some = "Some depth is known, where it is in all real samples."
    median = "The median depth is about that of real samples."
    return [
        write.between("label_not_empty", some, "labelled_pixels", bounds.labelled_pixels, None),
        write.between(
            "usual_foreground", "About as much depth is known.", "foreground_share", *bounds.foreground_share
        ),
        write.between("usual_depth", median, "median_depth", *bounds.median_depth),
    ]


def mask_expectations(write: Writer, bounds: Bounds) -> list[Any]:
    """What is asked of masks alone."""
    in_place = "The label lies on its image: it would not fit better a few pixels away."
    aligned = "The borders of the label follow the edges of the image about as well as in real samples."
    kept = "Refining left the label in place: a segmenter finds about the same before and after."
    unmoved = "Refining did not shift the label: what the segmenter finds has the same centre, within a few pixels."
    region = "The largest region, in pixels, is about as large as in real labels."
    return [
        write.between("label_not_empty", "The label marks something.", "labelled_pixels", bounds.labelled_pixels, None),
        write.between("label_in_place", in_place, "shift_px", 0, bounds.shift_px),
        write.between("label_aligned", aligned, "aligned", bounds.aligned, None),
        write.between("label_kept", kept, "label_iou", write.params.min_label_iou, None),
        write.between("label_unmoved", unmoved, "label_shift_px", 0, write.params.max_label_shift),
        write.between("no_one_pixel_regions", "No more specks than in real labels.", "specks", 0, bounds.specks),
        write.between("usual_region_count", "About as many regions as in real labels.", "regions", 0, bounds.regions),
        write.between("usual_region_size", region, "largest_region", *bounds.largest_region),
        write.between("usual_foreground", "About as much is labelled.", "foreground_share", *bounds.foreground_share),
    ]


def box_expectations(write: Writer, bounds: Bounds) -> list[Any]:
    """What is asked of boxes alone."""
    some = "Every image has a box, where all real ones have."
    covered = "Boxes cover about as much of the image as in real samples."
    largest = "The largest box, in pixels, is about as large as in real samples."
    return [
        write.between("label_not_empty", some, "labelled_pixels", bounds.labelled_pixels, None),
        write.between("usual_region_count", "About as many boxes as in real samples.", "regions", 0, bounds.regions),
        write.between("usual_region_size", largest, "largest_region", *bounds.largest_region),
        write.between("usual_foreground", covered, "foreground_share", *bounds.foreground_share),
    ]


def image_expectations(write: Writer, bounds: Bounds) -> list[Any]:
    """The image looks like an image of the data set."""
    return [
        write.between("no_noise", "About as much fine texture as in real images.", "noise", None, bounds.noise),
        write.between("usual_contrast", "About as much contrast as in real images.", "contrast", *bounds.contrast),
    ]


def copy_expectations(write: Writer, bounds: Bounds) -> list[Any]:
    """The sample is new: farther from training images and earlier samples than real images are from each other."""
    closest, null = bounds.copy_distance, "ExpectColumnValuesToBeNull"
    copied = "The image is no copy of a training image."
    return [
        write.between("no_training_copy", copied, "near_training_distance", closest, None),
        write.sample("no_exact_duplicate", "No earlier image has the same pixels.", null, "exact_duplicate_of"),
        write.between(
            "no_near_duplicate", "No earlier image is nearly the same.", "near_sample_distance", closest, None
        ),
    ]


def class_expectations(write: Writer, bounds: Bounds, spec: DatasetSpec) -> list[Any]:
    """The classes are about as frequent, as a share of the images, as in the real labels."""
    return [
        write.whole(
            "usual_class_share",
            f"About as many images show {spec.classes[c]} as real ones do.",
            "ExpectColumnMeanToBeBetween",
            detail=spec.classes[c],
            column=class_column(c),
            min_value=low,
            max_value=high,
        )
        for c, (low, high) in bounds.class_share.items()
    ]


def verdict_suite(params: ValidateParams) -> list[Any]:
    """What is asked of the outcome: a row a sample, columns `accepted` and `quarantined` of 0 and 1."""
    write, total, mean = Writer(params), "ExpectColumnSumToBeBetween", "ExpectColumnMeanToBeBetween"
    enough = "Enough samples are accepted to train on."
    few = "Few samples are in quarantine; many near duplicates mean that GAN or encoder learnt too briefly."
    return [
        write.whole("enough_accepted", enough, total, column="accepted", min_value=params.min_accepted),
        write.whole("few_quarantined", few, mean, column="quarantined", max_value=params.max_quarantined),
    ]
