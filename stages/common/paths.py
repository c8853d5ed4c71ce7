"""Where things are: the folders of the project, and writing them as a whole or not at all."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stages.common.errors import UserError


def project_root() -> Path:
    """The main checkout, also inside a DVC experiment that runs in a temporary copy (DVC sets DVC_ROOT)."""
    return Path(os.environ.get("DVC_ROOT", "."))


@contextmanager
def publish(out: Path) -> Iterator[Path]:
    """A temporary folder beside `out` that takes its place when the block ends well; else nothing is changed.

    The `.gitignore` that DVC keeps in such a folder stays.
    """
    partial = out.with_name(f".{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    if (ignore := out / ".gitignore").is_file():
        shutil.copy2(ignore, partial / ".gitignore")
    shutil.rmtree(out, ignore_errors=True)
    partial.rename(out)


def require(path: Path, stage: str) -> Path:
    """`path` if it exists. Raises UserError saying which stage makes it."""
    if not path.exists():
        raise UserError(f"{path}: not there yet; run `dvc repro {stage}` first")
    return path


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file by rename, so that a reader or a kill never sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    partial.write_bytes(content)
    os.replace(partial, path)
