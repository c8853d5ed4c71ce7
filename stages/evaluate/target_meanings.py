"""The scores of the target models: label, unit, meaning."""

TARGET_MEANINGS: dict[str, tuple[str, str, str]] = {
    "target/miou": (
        "mIoU",
        "0 to 1",
        "Mean over the classes that the test masks show of overlap divided by union of predicted and true pixels; 1 is "
        "perfect.",
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
    "target/nme": (
        "NME",
        "share, lower is better",
        "Normalised mean error: the mean distance in an image divided by the diagonal of the box around its keypoints.",
    ),
    "target/absrel": ("AbsRel", "share, lower is better", "Mean relative error of the depth where it is known."),
    "target/rmse": ("RMSE", "unit of the depth, lower is better", "Root mean square error of the depth."),
    "target/rmse_log": ("RMSE log", "lower is better", "Root mean square error of the depth's natural logarithm."),
    "target/scale_invariant": (
        "Scale-invariant error",
        "lower is better",
        "Deviation, within an image, of the difference of the logarithms: 0 for depth that is right up to a factor.",
    ),
}
