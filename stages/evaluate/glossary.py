"""What each figure means, for a reader who sees it for the first time."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MEANINGS: dict[str, tuple[str, str, str]] = {
    "gan/fd": (
        "Fréchet distance",
        "lower is better",
        "How far the cloud of generated images is from that of the real ones in feature space; 0 is equal. Compare"
        " only values from the same features.",
    ),
    "gan/kd": (
        "Kernel distance",
        "lower is better",
        "Like the Fréchet distance, but reliable with few images; 0 is equal.",
    ),
    "gan/precision": (
        "Precision",
        "share, 0 to 1",
        "Share of generated images that lie among the real ones: how believable they are.",
    ),
    "gan/recall": (
        "Recall",
        "share, 0 to 1",
        "Share of real images that lie among the generated ones: how much of the variety is covered.",
    ),
    "invert/error": (
        "Reconstruction error",
        "weighted sum, 0 is equal",
        "How far the GAN's rebuilt images are from the labelled ones after the optimisation; perceptual and pixel "
        "error together.",
    ),
    "invert/error_encoder": (
        "Error before the optimisation",
        "weighted sum, 0 is equal",
        "The same for the encoder's first guess; the optimisation should lower it.",
    ),
    "invert/perceptual": (
        "Perceptual distance",
        "0 is equal",
        "How different the reconstruction looks from the real image, judged by network features.",
    ),
    "invert/rmse": (
        "Pixel error",
        "share of the value range",
        "Root mean square difference of the pixels: 0.05 means that a pixel is off by 5 % of the range from black "
        "to white.",
    ),
    "invert/flagged": (
        "Flagged",
        "labelled images",
        "Labelled images that the GAN could not rebuild well; their labels would teach wrong places.",
    ),
    "invert/flagged_share_of_views": (
        "Flagged views",
        "share, 0 to 1",
        "The same over the images and their moved copies.",
    ),
    "invert/latents": (
        "Latents",
        "count",
        "Points in the GAN's latent space that the label generator learns from.",
    ),
    "label/miou_cv": (
        "Cross-validated mIoU",
        "0 to 1",
        "Label quality: the label generator is trained without some labelled images and compared with their true "
        "labels.",
    ),
    "label/main_class_cv": (
        "Main class right",
        "share, 0 to 1",
        "Share of the held-back images whose most frequent class besides the background is the true one.",
    ),
    "label/pixels": ("Pixels", "count", "Labelled pixels that the label generator learned from."),
    "label/latents": ("Latents", "count", "Rebuilt images that these pixels come from."),
    "refine/label_shift_px": (
        "Shift of the label",
        "pixels",
        "Mean distance between the centres of what a fixed segmenter finds before and after refining.",
    ),
    "refine/label_shift_px_std": ("Spread of the shift", "pixels", "Standard deviation of it over the samples."),
    "refine/label_iou": (
        "Agreement of the label",
        "IoU, 0 to 1",
        "Mean overlap of what the fixed segmenter finds before and after refining; it never saw a refined image.",
    ),
    "refine/mask_iou_simulated": (
        "Overlap with the label before",
        "IoU, 0 to 1",
        "What the fixed segmenter finds in simulated images against their label: how far it can be trusted.",
    ),
    "refine/mask_iou_refined": (
        "Overlap with the label after",
        "IoU, 0 to 1",
        "The same in the refined images; the closer to the value before, the truer the labels stayed.",
    ),
    "refine/told_simulated": (
        "Simulated told from real",
        "share, 0.5 is chance",
        "Held-out accuracy of a fresh classifier that tells real from simulated images.",
    ),
    "refine/told_refined": (
        "Refined told from real",
        "share, 0.5 is chance",
        "The same for refined images: near 0.5, they look real to it.",
    ),
    "compose/hardness_learned": (
        "Loss on learned composites",
        "loss of the target, no unit",
        "Of a target model held fixed, on objects where the synthesizer puts them; higher is harder.",
    ),
    "compose/hardness_random": (
        "Loss on random composites",
        "loss of the target, no unit",
        "Of the same model on the same objects and backgrounds, placed evenly at random.",
    ),
    "compose/hardness_context": (
        "Loss on composites in context",
        "loss of the target, no unit",
        "Of the same model, where a model of labelled images finds the objects likely to stand.",
    ),
    "compose/spread": (
        "Spread of placements",
        "deviation, ranges are 2 wide",
        "How differently one object is put on one background by the synthesizers and their noise; evenly, about 0.57.",
    ),
    "generate/samples": ("Samples", "count", "Samples in this set, before validation."),
    "generate/real_samples": ("Real samples", "count", "Labelled real images among them."),
    "generate/uncertainty": (
        "Uncertainty",
        "mean, 0 is certain",
        "Disagreement of the label generator's members about the labels of the generated samples.",
    ),
    "validate/accepted_share": (
        "Accepted",
        "share, 0 to 1",
        "Share of the samples that passed every check and are used for training.",
    ),
    "validate/accepted": (
        "Accepted",
        "samples",
        "Samples that passed every check and are used for training.",
    ),
    "validate/quarantined": (
        "Quarantined",
        "samples",
        "Samples set aside by a check; they are kept with the reason, not deleted.",
    ),
    "target/miou": (
        "mIoU",
        "0 to 1",
        "Mean over classes of overlap divided by union of predicted and true pixels on the test set; 1 is perfect.",
    ),
    "target/gaze_deg": (
        "Gaze error",
        "degrees, lower is better",
        "Mean angle between the true direction of gaze and the one that the model finds, on the test set.",
    ),
    "target/within_7deg": (
        "Within 7 degrees",
        "share, 0 to 1",
        "Share of the test images whose gaze is found with an error of 7 degrees or less.",
    ),
    "target/accuracy": (
        "Accuracy",
        "share, 0 to 1",
        "Share of the images of the test set whose class is found.",
    ),
    "target/map": (
        "mAP",
        "0 to 1",
        "Mean average precision as COCO has it: the area under the curve of precision over recall, averaged over "
        "classes and over ten overlaps, IoU 0.5 to 0.95, that a box must reach; 1 is perfect.",
    ),
    "target/map_50": (
        "mAP at IoU 0.5",
        "0 to 1",
        "The same where half an overlap is enough.",
    ),
    "target/voc07_ap": (
        "VOC 2007 AP",
        "0 to 1",
        "Average precision at IoU 0.5 as the PASCAL VOC challenge of 2007 has it: mean over classes of the best "
        "precision at 11 levels of recall.",
    ),
    "target/pck": (
        "PCK",
        "share, 0 to 1",
        "Share of the known keypoints of the test set that are found within the distance that decides.",
    ),
    "target/distance_px": (
        "Distance",
        "pixels, lower is better",
        "Mean distance between the true place of a known keypoint and the one that the model finds.",
    ),
}

# Start of the name, label of what follows it, unit, meaning.
FAMILIES: tuple[tuple[str, str, str, str], ...] = (
    ("label/iou_cv/", "{}", "0 to 1", "Cross-validated overlap of generated and true labels of this class."),
    ("refine/told_", "{}", "", "Ends of its 95 % interval, or the images that were asked about."),
    ("invert/", "{}", "", "Of rebuilding the labelled images with the GAN."),
    ("target/pck_", "PCK within {}", "share, 0 to 1", "Share of the known keypoints found within so many pixels."),
)


@dataclass(frozen=True)
class Figure:
    """One number ready to show."""

    name: str
    label: str
    value: str
    unit: str
    meaning: str


def explain(metrics: Mapping[str, Any]) -> list[Figure]:
    """The numbers among the metrics, with what they mean; a name without an entry is shown as it is."""
    return [_figure(n, v) for n, v in metrics.items() if isinstance(v, int | float) and not isinstance(v, bool)]


def _figure(name: str, value: float) -> Figure:
    return meaning_of(name, number(value))


def meaning_of(name: str, shown: str = "") -> Figure:
    """What a figure is called and what it means, beside its value as text."""
    if name in MEANINGS:
        return Figure(name, MEANINGS[name][0], shown, MEANINGS[name][1], MEANINGS[name][2])
    short = name.partition("/")[2] or name
    if short.endswith("seconds"):
        return Figure(name, short, shown, "s", "Time it took.")
    for prefix, label, unit, meaning in FAMILIES:
        if name.startswith(prefix):
            return Figure(name, label.format(name.removeprefix(prefix)), shown, unit, meaning)
    return Figure(name, short.replace("_", " ").replace("/", ": "), shown, "", "")


def number(value: float) -> str:
    """Four significant digits, whole numbers in full with separators."""
    if float(value).is_integer() and abs(value) < 1e12:
        return f"{int(value):,}"
    return f"{value:.4g}" if 1e-3 <= abs(value) < 1e5 else f"{value:.3e}"
