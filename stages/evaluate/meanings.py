"""The figures of the stages: label, unit, meaning."""

STAGE_MEANINGS: dict[str, tuple[str, str, str]] = {
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
    "annotate/candidates": ("Candidates", "count", "Different images that the GAN drew to select from."),
    "annotate/exported": ("Selected", "count", "Images selected for annotation."),
    "annotate/images": ("Annotated", "count", "Images that came back with labels."),
    "annotate/by_oracle": ("By an oracle", "1 yes, 0 no", "Whether a classifier and rules stood in for a person."),
    "annotate/oracle_accuracy": (
        "Accuracy of the oracle",
        "share, 0 to 1",
        "Share of real digits held back from the oracle that it names rightly.",
    ),
    "annotate/guess_miou": (
        "mIoU of the guess",
        "0 to 1",
        "Overlap of the annotations with what the label generator of gan says of the same images.",
    ),
    "annotate/guess_distance_px": (
        "Distance of the guess",
        "pixels, lower is better",
        "Mean distance of annotated keypoints from what the label generator of gan says of the same images.",
    ),
    "annotate/guess_absrel": (
        "Depth error of the guess",
        "share, lower is better",
        "Mean relative error of the depth that the label generator of gan gives the same images.",
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
    "label/distance_px_cv": (
        "Cross-validated distance",
        "pixels, lower is better",
        "Label quality: mean distance of the keypoints that the label generator finds in labelled images that it was "
        "not trained on from their true places.",
    ),
    "label/distance_px_median_cv": ("The same, median", "pixels, lower is better", "Half of them lie nearer."),
    "label/found_cv": (
        "Keypoints found",
        "share, higher is better",
        "Of the known keypoints, those whose heat map is high enough somewhere (label.least_peak); others are labelled "
        "as unknown.",
    ),
    "label/absrel_cv": (
        "Cross-validated depth error",
        "share, lower is better",
        "Label quality: mean relative error of the depth in labelled images that the label generator was not trained "
        "on.",
    ),
    "label/accuracy_cv": (
        "Cross-validated accuracy",
        "share, 0 to 1",
        "Label quality: share of labelled images whose class is right when the label generator did not see them.",
    ),
    "label/known_iou_cv": (
        "Known depth",
        "IoU, 0 to 1",
        "How well generated and true labels agree on where the depth is known.",
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
        "Disagreement of the label generator's members about the labels of the generated samples; of keypoints what "
        "the peaks of their mean heat maps lack to 1.",
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
}
