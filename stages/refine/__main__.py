"""Train a refiner that makes simulated images look like the unlabelled real ones and keeps what their labels say."""

from pathlib import Path

from stages.common.checkpoint import WorkFolder
from stages.common.cli import run_stage
from stages.common.device import pick_device
from stages.common.digests import work_digest
from stages.common.masks import only
from stages.common.params import SharedParams
from stages.common.paths import require
from stages.common.samples import read_index, read_set
from stages.common.spec import SPEC_PATH, read_spec
from stages.common.tensors import ImageBank
from stages.common.tracking import Tracker
from stages.refine.measure import looks_metrics, watch_labels
from stages.refine.outputs import PICTURES, REPORTS, write_models, write_nothing, write_reports
from stages.refine.params import RefineParams
from stages.refine.refining import refine_images
from stages.refine.run import Run
from stages.refine.segmenter import class_ids
from stages.refine.state import new_state
from stages.refine.training import Trainer
from stages.refine.turing import write_stage_page
from stages.refine.warper import refuse_warp

SIMULATED, UNLABELED = Path("data/prepare/simulated"), Path("data/prepare/unlabeled")


def main(params: RefineParams, shared: SharedParams, track: Tracker) -> None:
    """Refine, if there is anything to refine."""
    if len(read_index(require(SIMULATED, "prepare"))):
        refine(params, shared, track)
    else:
        print(f"refine: {SIMULATED} holds no image (prepare.simulator), so there is nothing to refine", flush=True)
        write_nothing()


def refine(params: RefineParams, shared: SharedParams, track: Tracker) -> None:
    """Read, train, measure, write."""
    spec, device = read_spec(), pick_device(shared.device)
    followed = class_ids(spec, params.shift.classes)
    refuse_warp(spec, params)
    drawn, reals = read_set(SIMULATED), read_set(UNLABELED)
    simulated, real = ImageBank(drawn.images, device), ImageBank(reals.images, device)
    trainer = Trainer(simulated, real, params, shared.seed)
    state = new_state(params, spec.channels, shared.seed, device)
    training = params.model_dump(mode="json", exclude={"shift", "two_sample", "log_every", "sample_every"})
    work = WorkFolder("refine", work_digest("refine", [training, shared.seed], [SIMULATED, UNLABELED, SPEC_PATH]))
    run = Run(trainer, state, work, track)
    begin = f"going on at step {state.step}" if run.resume() else "from the start"
    print(f"refine: {len(simulated)} simulated and {len(real)} real images on {device}, {begin}", flush=True)
    run.train()

    made = refine_images(state.average, simulated, drawn.masks, shared.seed)
    segmenter, metrics = watch_labels(
        simulated, drawn.masks, made, len(spec.classes), followed, params.shift, shared.seed
    )
    metrics |= looks_metrics(real, simulated, made.images, params.two_sample, shared.seed)
    shown = None if segmenter is None or made.masks is None else only(made.masks, segmenter.followed)
    write_reports(run, simulated, made.images, real, shown, len(spec.classes), metrics)
    write_stage_page(REPORTS / "turing.html", reals.images, made.images.arrays, spec.name, shared.seed)
    write_models(state.average, segmenter, spec, params)
    track.metrics(metrics)
    track.artifact(PICTURES / "before_after.png", "pictures")
    work.clear()


if __name__ == "__main__":
    run_stage("refine", RefineParams, main, __doc__)
