"""A copy of the project with parameters of its own, to run beside the original."""

import os
import shutil
import subprocess
from pathlib import Path

from stages.common.errors import UserError
from stages.common.tracking import SCRATCH_MESSAGE

# What a run makes, or what belongs to the machine: the copy starts without.
LEFT_OUT = frozenset({".venv", ".local", ".work", "data", "models", "reports", "dvc.lock"})
COMMIT_AS = ["-c", "user.name=handful", "-c", "user.email=handful@localhost", "-c", "commit.gpgsign=false"]


def copy_project(root: Path, target: Path) -> int:
    """Copy the files that git knows or does not ignore into the new or empty folder `target`; how many.

    Raises UserError when `target` has something in it or `root` is no git checkout.
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UserError(f"{target}: already there; name a folder that is new or empty")
    files = project_files(root)
    for name in files:
        place = target / name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(root / name, place, follow_symlinks=False)
    return len(files)


def project_files(root: Path) -> list[str]:
    """The files of the checkout, tracked or neither tracked nor ignored, without what a run makes and without images.

    A folder with a `dataset.yaml` is somebody's data: `prepare.path` names it, wherever it is.
    """
    listed = _git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate")
    names = [name for name in listed.split("\0") if name and (root / name).is_file()]
    data = {str(Path(name).parent) for name in names if name.endswith("/dataset.yaml")}
    return [name for name in names if _wanted(name, data)]


def _wanted(name: str, data: set[str]) -> bool:
    inside = {str(parent) for parent in Path(name).parents}
    return name.split("/")[0] not in LEFT_OUT and not inside & data


def start_repository(root: Path, origin: str) -> None:
    """A git repository with one commit, and DVC in it, so that `dvc repro` and DVC experiments work at once.

    origin: the commit that was copied; the message names it, and reports take it from there.
    """
    config = root / ".dvc" / "config"
    if not config.exists():
        config.parent.mkdir(parents=True, exist_ok=True)
        config.write_text("[core]\n    analytics = false\n    autostage = false\n")
        (config.parent / ".gitignore").write_text("/config.local\n/tmp\n/cache\n")
    _git(root, "init", "--quiet")
    _git(root, "add", "--all")
    _git(
        root,
        *COMMIT_AS,
        "-c",
        "core.hooksPath=/dev/null",
        "commit",
        "--quiet",
        "--message",
        f"{SCRATCH_MESSAGE}{origin}",
    )


def _git(root: Path, *arguments: str) -> str:
    # Under a git hook these variables point at another repository.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=root, env=environment, capture_output=True, text=True, check=True
        )
    except subprocess.CalledProcessError as error:
        raise UserError(f"{root}: git {arguments[0]} failed: {' '.join(error.stderr.split())}") from error
    return done.stdout
