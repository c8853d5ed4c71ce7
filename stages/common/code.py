"""Which files of the project a stage runs on, read from its imports."""

import ast
from pathlib import Path

from stages.common.params import STAGES_DIR

ROOT = STAGES_DIR.parent


def imported_modules(path: Path) -> set[str]:
    """Dotted names of all `stages.*` modules that a file imports anywhere, also inside functions."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("stages"):
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names if alias.name.startswith("stages")}
    return names


def module_file(name: str, root: Path = ROOT) -> Path | None:
    """The file of a dotted name, if it is a module of the project with anything in it."""
    base = root / Path(*name.split("."))
    for candidate in (base.with_suffix(".py"), base / "__init__.py"):
        if candidate.is_file() and candidate.read_text().strip():
            return candidate
    return None


def import_closure(stage: str, root: Path = ROOT) -> set[str]:
    """Paths of all project files that running a stage imports, relative to the root."""
    todo = [root / "stages" / stage / "__main__.py"]
    seen: set[Path] = set()
    while todo:
        path = todo.pop()
        if path not in seen:
            seen.add(path)
            todo += [found for name in imported_modules(path) if (found := module_file(name, root))]
    return {path.relative_to(root).as_posix() for path in seen}


def code_dependencies(stage: str, root: Path = ROOT) -> list[str]:
    """What dvc.yaml should list for a stage: its own folder, and each file that it imports from elsewhere."""
    own = f"stages/{stage}"
    return [own, *sorted(p for p in import_closure(stage, root) if not p.startswith(f"{own}/"))]
