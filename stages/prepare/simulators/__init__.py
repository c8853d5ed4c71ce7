"""Labelled images that a program draws: one module a simulator, each a pure function of a seed and ranges."""

from collections.abc import Callable, Sequence
from functools import partial

from stages.common.errors import UserError
from stages.common.spec import DatasetSpec
from stages.prepare.params import EyeParams, GlyphParams, PrepareParams
from stages.prepare.records import Pixels, Record, Source
from stages.prepare.simulators import eyes
from stages.prepare.simulators.glyphs import draw_glyph
from stages.prepare.sources.digits import CLASSES, ink_pixels
from stages.prepare.sources.unityeyes import simulated_eyes

POOL = "simulated"


def simulated_source(params: PrepareParams, source: Source, seed: int, labeled: Sequence[Record] = ()) -> Source:
    """The simulated images of a source: what it brings or makes of its labelled images, or what the simulator draws.

    Its spec is that of all sets, with the classes of a simulator that knows more of them than the real labels do.
    Raises UserError when the simulator does not suit the source.
    """
    name = simulator_of(params)
    if params.simulator == "auto" and source.simulate is not None:
        return Source(source.spec, source.simulate(labeled))
    if source.simulated or name == "none":
        return Source(source.spec, source.simulated)
    return SIMULATORS[name](params, source.spec, seed)


def simulator_of(params: PrepareParams) -> str:
    """The name of the simulator that draws for this source; none where it brings its own images or has no simulator."""
    if params.simulator != "auto":
        return params.simulator
    return "glyphs" if params.source in ("digits", "mnist") else "none"


def drawn_glyphs(params: PrepareParams, spec: DatasetSpec, seed: int) -> Source:
    """Digits drawn from fonts."""
    if spec.classes != CLASSES or spec.channels != 1:
        raise UserError(
            f"prepare.simulator: glyphs draws grey digits, classes {', '.join(CLASSES)}; {spec.name} has others"
        )
    if spec.labels != "masks":
        raise UserError(
            f"prepare.simulator: glyphs draws digits with masks; {spec.name} has other labels, so take auto"
        )
    return Source(spec, _records("glyph", params, partial(read_glyph, seed, spec.size, params.glyphs)))


def drawn_eyes(params: PrepareParams, spec: DatasetSpec, seed: int) -> Source:
    """Eyes with their gaze and parts."""
    spec = _with_parts(spec, "eyes")
    if spec.channels != 1:
        raise UserError(f"prepare.simulator: eyes draws grey eyes; {spec.name} has {spec.channels} channels")
    return Source(spec, _records("eye", params, partial(read_eye, seed, spec.size, params.eyes)))


def rendered_eyes(params: PrepareParams, spec: DatasetSpec, seed: int) -> Source:
    """Eyes that UnityEyes rendered; the seed has no say."""
    spec = _with_parts(spec, "unityeyes")
    return Source(spec, simulated_eyes(params, spec))


Simulator = Callable[[PrepareParams, DatasetSpec, int], Source]
SIMULATORS: dict[str, Simulator] = {"glyphs": drawn_glyphs, "eyes": drawn_eyes, "unityeyes": rendered_eyes}


def _with_parts(spec: DatasetSpec, simulator: str) -> DatasetSpec:
    if not spec.gaze or spec.classes:
        found = "masks" if spec.classes else "no gaze"
        raise UserError(f"prepare.simulator: {simulator} makes eyes with their gaze; {spec.name} has {found}")
    return spec.model_copy(update={"classes": eyes.CLASSES})


def _records(prefix: str, params: PrepareParams, read: "partial[Pixels]") -> list[Record]:
    if params.simulated is None:
        raise UserError("prepare.simulated: null, but a simulator draws as many images as it is told; give a number")
    names = [f"{prefix}-{number:06d}" for number in range(params.simulated)]
    return [
        Record(name, POOL, f"{POOL}/{name}", name, partial(read, number=number)) for number, name in enumerate(names)
    ]


def read_glyph(seed: int, size: tuple[int, int], params: GlyphParams, number: int) -> Pixels:
    """One drawn digit with the labels of the real digits, by the same rules."""
    glyph = draw_glyph(number, seed, size, params)
    return ink_pixels(glyph.image, glyph.digit)


def read_eye(seed: int, size: tuple[int, int], params: EyeParams, number: int) -> Pixels:
    """One drawn eye with all of its labels."""
    eye = eyes.draw_eye(number, seed, size, params)
    return Pixels(eye.image[:, :, None], eye.mask, eye.keypoints, eye.depth, eye.gaze)
