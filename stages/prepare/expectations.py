"""What must hold for the incoming images, as Great Expectations. Importing this takes seconds: see checks.py."""

import great_expectations as gx
import great_expectations.expectations as gxe
from great_expectations.expectations.metadata_types import FailureSeverity

from stages.common.spec import DatasetSpec


class HeightAsInSpec(gxe.ExpectColumnValuesToBeInSet):
    column: str = "height"
    description: str = "every image has the height that the data set declares"


class WidthAsInSpec(gxe.ExpectColumnValuesToBeInSet):
    column: str = "width"
    description: str = "every image has the width that the data set declares"


class ChannelsAsInSpec(gxe.ExpectColumnValuesToBeInSet):
    column: str = "channels"
    description: str = "every image has the channels that the data set declares"


class ImageIsNotConstant(gxe.ExpectColumnValuesToBeBetween):
    column: str = "std"
    min_value: float = 0
    strict_min: bool = True
    description: str = "every image has more than one value; bad_files: quarantine leaves such images out"


class ClassIdsAreKnown(gxe.ExpectColumnValuesToBeBetween):
    column: str = "unknown_pixels"
    max_value: float = 0
    description: str = "no mask holds an id that is no class and not 255"


class MaskShowsSomething(gxe.ExpectColumnValuesToBeBetween):
    column: str = "labeled_share"
    min_value: float = 0
    strict_min: bool = True
    description: str = "every mask holds more than background"


class KeypointsAreInside(gxe.ExpectColumnValuesToBeBetween):
    """One image may show a corner of the object alone; where most do, the points are of another resolution."""

    column: str = "keypoints_inside"
    min_value: float = 0.5
    mostly: float = 0.5
    description: str = (
        "half of the known keypoints lie on the image, in half of the images at least; scale keypoints that were "
        "placed at another resolution"
    )


class KeyIsUnique(gxe.ExpectColumnValuesToBeUnique):
    column: str = "key"
    description: str = "no key stands for two samples"


class SetIsNotEmpty(gxe.ExpectColumnValuesToBeBetween):
    column: str = "images"
    min_value: float = 1
    description: str = "every set that was asked for holds images"


class CountAsAsked(gxe.ExpectColumnValuesToBeBetween):
    column: str = "lacking_images"
    min_value: float = 0
    max_value: float = 0
    description: str = "every set holds as many images as asked for"


class EveryClassIsShown(gxe.ExpectColumnValuesToBeInSet):
    column: str = "lacking_classes"
    description: str = (
        "labeled and test show every class; label such an image, or leave the class out of dataset.yaml, or out by "
        "another map of prepare.classes"
    )


def image_suite(spec: DatasetSpec) -> gx.ExpectationSuite:
    """Of the table with a row an image. An all-background mask is a legitimate negative, so it only warns."""
    return gx.ExpectationSuite(
        "images",
        expectations=[
            HeightAsInSpec(value_set=[spec.size[0]]),
            WidthAsInSpec(value_set=[spec.size[1]]),
            ChannelsAsInSpec(value_set=[spec.channels]),
            ImageIsNotConstant(),
            ClassIdsAreKnown(),
            KeypointsAreInside(),
            KeyIsUnique(),
            MaskShowsSomething(severity=FailureSeverity.WARNING),
        ],
    )


def set_suite() -> gx.ExpectationSuite:
    """Of the table with a row a set."""
    return gx.ExpectationSuite(
        "sets", expectations=[SetIsNotEmpty(), CountAsAsked(), EveryClassIsShown(value_set=[""])]
    )
