"""Gaze as angles and as directions: x to the image's right, y down, z away from the camera, as MPIIGaze has them.

An eye that looks into the camera has pitch and yaw 0 and the direction (0, 0, -1). Pitch is positive upwards, yaw
towards the left of the image.
"""

import numpy as np


def vectors_of(angles: np.ndarray) -> np.ndarray:
    """(..., 2) pitch, yaw in radians to (..., 3) unit vectors."""
    pitch, yaw = angles[..., 0], angles[..., 1]
    return np.stack([-np.cos(pitch) * np.sin(yaw), -np.sin(pitch), -np.cos(pitch) * np.cos(yaw)], axis=-1)


def angles_of(vectors: np.ndarray) -> np.ndarray:
    """(..., 3) vectors of any length to (..., 2) pitch, yaw in radians."""
    x, y, z = np.moveaxis(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True), -1, 0)
    return np.stack([np.arcsin(np.clip(-y, -1, 1)), np.arctan2(-x, -z)], axis=-1)
