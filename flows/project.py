"""The pull step of the deployments: which checkout a worker works in."""

import os
from pathlib import Path


def locate() -> dict[str, str]:
    """{"directory": the project folder}: HANDFUL_DIR of the worker, or the checkout that this package lies in."""
    directory = Path(os.environ.get("HANDFUL_DIR") or Path(__file__).parents[1]).expanduser().resolve()
    if not (directory / "dvc.yaml").is_file():
        raise FileNotFoundError(
            f"{directory}: no dvc.yaml; set HANDFUL_DIR to the project folder before the worker starts"
        )
    return {"directory": str(directory)}
