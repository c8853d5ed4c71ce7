"""Short digests of files and values, the keys of resumable work and of provenance."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from stages.common.code import ROOT, import_closure
from stages.common.params import Params


def file_digest(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def tree_digest(paths: Iterable[Path]) -> str:
    """One digest of files and folders: names relative to each given path, and contents."""
    digest = hashlib.sha256()
    for root in paths:
        files = sorted(p for p in root.rglob("*") if p.is_file()) if root.is_dir() else [root]
        for file in files:
            name = file.relative_to(root).as_posix() if root.is_dir() else file.name
            digest.update(f"{root.name}/{name}:{file_digest(file)}\n".encode())
    return digest.hexdigest()


def work_digest(stage: str, params: Iterable[Params | Any], inputs: Iterable[Path], root: Path = ROOT) -> str:
    """16 hex digits that change with any parameter, any byte of the inputs, and the code of the stage, also what it
    imports from elsewhere in the project."""
    values = [p.model_dump(mode="json") if isinstance(p, Params) else p for p in params]
    imported = {root / name for name in import_closure(stage, root)}
    code = sorted(imported.union((root / "stages" / stage).rglob("*.py")))
    text = json.dumps(values, sort_keys=True) + tree_digest(inputs) + tree_digest(code)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
