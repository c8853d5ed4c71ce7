"""Learn to place cut-out objects so that the target model finds them hard and a discriminator finds them natural."""

from pathlib import Path

import torch

from stages.common.checkpoint import WorkFolder
from stages.common.cli import run_stage
from stages.common.device import pick_device
from stages.common.digests import work_digest
from stages.common.params import SharedParams, load_params
from stages.common.paths import require
from stages.common.samples import read_index, read_set
from stages.common.spec import SPEC_PATH, DatasetSpec, read_spec
from stages.common.tensors import ImageBank
from stages.common.tracking import Tracker
from stages.compose.bank import read_composer
from stages.compose.checks import SMALLEST, refuse_target, refuse_unfit
from stages.compose.context import ContextPlacer, has_objects, train_context
from stages.compose.measure import final_metrics
from stages.compose.outputs import PICTURES, write_nothing, write_placer, write_reports
from stages.compose.params import ComposeParams
from stages.compose.placers import Place, place_randomly
from stages.compose.run import Run
from stages.compose.state import new_state
from stages.compose.training import Trainer
from stages.train.inputs import labelled
from stages.train.params import TrainParams
from stages.train.targets import make_target

FOREGROUNDS, BACKGROUNDS = Path("data/prepare/foregrounds"), Path("data/prepare/backgrounds")
LABELED, UNLABELED = Path("data/prepare/labeled"), Path("data/prepare/unlabeled")
INPUTS = (FOREGROUNDS, BACKGROUNDS, LABELED, UNLABELED)
PASTED = (FOREGROUNDS, BACKGROUNDS, SPEC_PATH)


def main(params: ComposeParams, shared: SharedParams, track: Tracker) -> None:
    """Learn to place, if there is anything to place."""
    spec, device = read_spec(), pick_device(shared.device)
    if missing := [str(f) for f in (FOREGROUNDS, BACKGROUNDS) if not len(read_index(require(f, "prepare")))]:
        print(f"compose: {' and '.join(missing)} are empty, so there is nothing to place", flush=True)
        write_nothing()
        return
    refuse_unfit(spec, params)
    if params.placer == "learned":
        learn(params, shared, track, spec, device)
        return
    model = None
    if params.placer == "context":
        model = train_context(read_set(LABELED), len(spec.classes), params.context, shared.seed, device)
    write_placer(params, spec, model, PASTED)
    write_reports(None, {})


def learn(params: ComposeParams, shared: SharedParams, track: Tracker, spec: DatasetSpec, device: torch.device) -> None:
    """Read, train, measure, write."""
    target = make_target(spec, load_params("train", TrainParams)[0].model_copy(update={"steps": rounds(params)}))
    refuse_target(target)
    samples = read_set(LABELED)
    reals = labelled(samples, target)
    natural = ImageBank(read_set(UNLABELED).images, device)
    composer = read_composer(FOREGROUNDS, BACKGROUNDS, params, device)
    compared: dict[str, Place] = {"random": place_randomly}
    if has_objects(samples) and min(spec.size) >= SMALLEST:
        model = train_context(samples, len(spec.classes), params.context, shared.seed, device)
        compared["context"] = ContextPlacer(model, params)
    trainer = Trainer(composer, reals, natural, target, params, shared.seed, compared)
    state = new_state(params, target, target.balance(reals.labels), shared.seed, device)
    training = params.model_dump(mode="json", exclude={"log_every", "sample_every", "save_every"})
    digest = work_digest("compose", [training, target.params, shared.seed], [*INPUTS, SPEC_PATH])
    run = Run(trainer, state, WorkFolder("compose", digest), track)
    begin = f"going on at step {state.step}" if run.resume() else "from the start"
    print(f"compose: {len(composer.objects)} cut-outs, {len(composer.backgrounds)} backgrounds on {device}, {begin}")
    run.train()
    metrics = final_metrics(trainer, state)
    write_placer(params, spec, torch.nn.ModuleList(state.snapshots), PASTED)
    write_reports(run, metrics)
    track.metrics(metrics)
    for picture in sorted(PICTURES.glob("*.png"))[-1:]:
        track.artifact(picture, "pictures")
    run.work.clear()


def rounds(params: ComposeParams) -> int:
    """Updates of the target in all."""
    return params.warm_up + params.steps * params.target_steps


if __name__ == "__main__":
    run_stage("compose", ComposeParams, main, __doc__)
