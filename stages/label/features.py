"""What of the generator a pixel's label is read from."""

from torch import Tensor

from stages.pretrain.generator import Generator


def feature_count(generator: Generator, context: bool, whole: bool = False) -> int:
    """How many features `label_features` gives a pixel."""
    synthesis = generator.synthesis
    image_channels = len(next(iter(synthesis.blocks)).image_bias)
    means = sum(synthesis.feature_channels[1:]) + image_channels
    if whole:
        return means
    own = synthesis.feature_channels[0] + means
    return own + means if context else own


def label_features(generator: Generator, ws: Tensor, context: bool, whole: bool = False) -> tuple[Tensor, list[Tensor]]:
    """Images of ws (N, num_ws, w_dim), and the maps that the ensemble reads: the generator's, then the image itself.

    The image holds the exact value of a pixel, which the skip connections spread over the maps of all resolutions.
    With `context` the mean of every map but the first, a constant, is a further map of one pixel, so that a pixel's
    vector tells of the whole image: a class that only the whole shape decides is out of reach of the features at one
    place.
    With `whole` there is nothing but these means: one vector an image, for what is said of the image as a whole.
    """
    images, maps = generator.synthesis.features(ws)
    maps = [*maps, images.clamp(-1, 1)]
    means = [m.mean(dim=(2, 3), keepdim=True) for m in maps[1:]]
    if whole:
        return images, means
    return images, [*maps, *means] if context else maps
