"""What all files in the format of COCO list: images and categories."""

from pydantic import ConfigDict

from stages.common.params import Params


class Entry(Params):
    """What is read of an entry; its other keys are left alone."""

    model_config = ConfigDict(extra="ignore")


class CocoImage(Entry):
    """An image that was looked at, whether or not anything was marked in it. width, height: in pixels, where the file
    says them."""

    id: int
    file_name: str
    width: int | None = None
    height: int | None = None


class CocoCategory(Entry):
    """A class."""

    id: int
    name: str
