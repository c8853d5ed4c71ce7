"""The visual Turing test: can a person tell made images from real ones? Its page, and its answers pooled.

After SimGAN (Shrivastava et al., CVPR 2017, section 3.1 and table 1). `python -m stages.refine.turing` writes the page,
`python -m stages.refine.turing answers-*.json` pools what people answered on it.
"""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from jinja2 import Environment, PackageLoader, StrictUndefined

from stages.common.errors import EXIT_USER_ERROR, UserError
from stages.common.paths import require, write_atomically
from stages.common.samples import read_index, read_set
from stages.common.spec import read_spec
from stages.refine.answers import read_answers, table
from stages.refine.questions import ASKED, EXAMPLES, FEWEST, TuringTest, make_test

UNLABELED = Path("data/prepare/unlabeled")


class Kind(StrEnum):
    """How the made images were made."""

    REFINED = "refined"
    SIMULATED = "simulated"


SETS = {
    Kind.REFINED: (Path("data/generate/refined"), "generate@refined"),
    Kind.SIMULATED: (Path("data/prepare/simulated"), "prepare"),
}


def write_turing_page(
    path: Path,
    real: np.ndarray,
    made: np.ndarray,
    kind: str = Kind.REFINED,
    name: str = "images",
    images: int = ASKED,
    seed: int = 0,
) -> TuringTest:
    """Write the page, one HTML file that needs no other, and return what it asks.

    real, made: (N, H, W, 1 or 3) uint8 of one size. kind, name: how the made images were made and the dataset's name,
    as the page shows them. images: asked of each kind, or as many as there are. The same arguments give the same bytes.
    Raises UserError as `make_test` does.
    """
    test = make_test(real, made, kind, images, seed)
    write_atomically(path, _render(name, kind, test, "").encode())
    return test


def write_stage_page(path: Path, real: np.ndarray, made: np.ndarray, name: str, seed: int) -> None:
    """The page of refined images; a page that says why there is no test, when there cannot be one."""
    try:
        write_turing_page(path, real, made, Kind.REFINED, name, seed=seed)
    except UserError as reason:
        # The pipeline counts on the file.
        write_atomically(path, _render(name, Kind.REFINED, None, str(reason)).encode())
        print(f"refine: no visual Turing test: {reason}", flush=True)


def _render(name: str, kind: str, test: TuringTest | None, reason: str) -> str:
    page = Environment(
        loader=PackageLoader("stages.refine", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return page.get_template("turing.html.j2").render(
        name=name, kind=kind, test=test, data=test.questions() if test else {}, reason=reason
    )


def draw_images(folder: Path, stage: str, count: int, seed: int) -> np.ndarray:
    """At most `count` random images of a set, (N, H, W, C) uint8. Raises UserError when the set is not there."""
    keys = read_index(require(folder, stage))["key"]
    return read_set(folder, list(keys.sample(min(count, len(keys)), random_state=seed))).images


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    answers: Annotated[
        list[Path] | None, typer.Argument(help="Files that the page saved; without any, write it.")
    ] = None,
    kind: Annotated[Kind, typer.Option(help="The made images to ask about.")] = Kind.REFINED,
    images: Annotated[int, typer.Option(min=FEWEST, help="How many of each kind to ask about.")] = ASKED,
    seed: Annotated[int, typer.Option(min=0, help="Of the choice of images.")] = 0,
    out: Annotated[Path | None, typer.Option(help="The page; by default .local/turing-KIND.html.")] = None,
) -> None:
    """Write the page of the visual Turing test, or pool the answers that people gave on it."""
    try:
        print(table(read_answers(answers)) if answers else _write(kind, images, seed, out))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        raise typer.Exit(EXIT_USER_ERROR) from None


def _write(kind: Kind, images: int, seed: int, out: Path | None) -> str:
    # Not the stage's own reports/refine/turing.html: another content there would make later stages stale.
    path, count = out or Path(f".local/turing-{kind}.html"), images + EXAMPLES
    real = draw_images(UNLABELED, "prepare", count, seed)
    test = write_turing_page(path, real, draw_images(*SETS[kind], count, seed), kind, read_spec().name, images, seed)
    return f"{path}: {len(test.images)} images to tell apart after {2 * len(test.real)} examples; open it in a browser"


if __name__ == "__main__":
    app()
