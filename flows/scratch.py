"""A copy of the project with parameters of its own, to run beside the original."""

import filecmp
import os
import shutil
import subprocess
import sys
from pathlib import Path

from stages.common.errors import UserError
from stages.common.tracking import SCRATCH_MESSAGE, git_tags

# What a run makes, or what belongs to the machine: the copy starts without.
LEFT_OUT = frozenset({".venv", ".local", ".work", "data", "models", "reports", "dvc.lock"})
COMMIT_AS = ["-c", "user.name=handful", "-c", "user.email=handful@localhost", "-c", "commit.gpgsign=false"]
# What a run in the copy changes, or what the copy was given in place of the project's.
OWN_FILES = frozenset({"params.yaml", "dvc.lock", ".dvc"})


def copy_project(root: Path, target: Path) -> int:
    """Copy the files that git knows or does not ignore into the new or empty folder `target`; how many.

    Raises UserError when `target` has something in it or is a file, or `root` is no git checkout.
    """
    refuse_file(target)
    if target.exists() and any(target.iterdir()):
        raise UserError(f"{target}: already there; name a folder that is new or empty")
    files = project_files(root)
    for name in files:
        _copy(root, target, name)
    return len(files)


def refuse_file(target: Path) -> None:
    """Raises UserError when `target`, or what it is to lie in, is a file."""
    for path in (target, *target.parents):
        if path.exists() and not path.is_dir():
            raise UserError(f"{path}: a file; name a folder that is new or empty")


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
    return _top(name) not in LEFT_OUT and not inside & data


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
    _commit(root, origin)


def share_cache(root: Path, copy: Path) -> None:
    """Let the copy keep its results in the DVC cache of the project, and find what was computed there already.

    Only in the copy's local configuration. A project without DVC has no cache to share. Raises UserError.
    """
    if (root / ".dvc").is_dir():
        _dvc(copy, "cache", "dir", "--local", _dvc(root, "cache", "dir").strip())


def origin() -> str:
    """What a copy made now is a copy of: the commit here, and whether files differ from it."""
    tags = git_tags()
    changed = " with uncommitted changes" if tags.get("git.dirty") == "true" else ""
    return tags.get("git.commit", "a project without commits") + changed


def renew_copy(root: Path, target: Path, origin: str) -> int:
    """Bring the code of a scratch copy up to that of the project; how many files were copied or removed.

    Its params.yaml, DVC cache, data, models and reports stay: DVC redoes what depends on a changed file and nothing
    else, so that a long study outlives a change. Changes made to the code of the copy itself are lost.
    Raises UserError when `target` is no scratch copy.
    """
    if not (target / ".git").exists() or not _git(target, "log", "-1", "--format=%s").startswith(SCRATCH_MESSAGE):
        raise UserError(f"{target}: there, but no scratch copy of a project; remove it or name another folder")
    files = [name for name in project_files(root) if _top(name) not in OWN_FILES]
    tracked = [name for name in _git(target, "ls-files", "-z").split("\0") if name and _top(name) not in OWN_FILES]
    gone = [name for name in set(tracked) - set(files) if (target / name).is_file()]
    changed = [name for name in files if not _same(root / name, target / name)]
    for name in gone:
        (target / name).unlink()
    for name in changed:
        _copy(root, target, name)
    if gone or changed:
        _git(target, "add", "--update")
        if changed:
            _git(target, "add", "--force", "--", *changed)
        _commit(target, origin)
    return len(gone) + len(changed)


def _top(name: str) -> str:
    return name.split("/")[0]


def _same(first: Path, second: Path) -> bool:
    return second.is_file() and filecmp.cmp(first, second, shallow=False)


def _copy(root: Path, target: Path, name: str) -> None:
    place = target / name
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(root / name, place, follow_symlinks=False)


def _commit(root: Path, origin: str) -> None:
    message = f"{SCRATCH_MESSAGE}{origin}"
    _git(root, *COMMIT_AS, "-c", "core.hooksPath=/dev/null", "commit", "--quiet", "--allow-empty", "--message", message)


def _git(root: Path, *arguments: str) -> str:
    return _run(root, "git", ["git"], arguments)


def _dvc(root: Path, *arguments: str) -> str:
    return _run(root, "dvc", [sys.executable, "-m", "dvc"], arguments)


def _run(root: Path, name: str, program: list[str], arguments: tuple[str, ...]) -> str:
    # Under a git hook these variables point at another repository.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(
            [*program, *arguments], cwd=root, env=environment, capture_output=True, text=True, check=True
        )
    except subprocess.CalledProcessError as error:
        raise UserError(f"{root}: {name} {arguments[0]} failed: {' '.join(error.stderr.split())}") from error
    return done.stdout
