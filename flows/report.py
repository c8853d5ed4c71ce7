"""What a pipeline run shows when it ends."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from flows.runner import StageResult
from stages.common.errors import EXIT_USER_ERROR, EXIT_VALIDATION_FAILED

FAILURE_NAMES = {EXIT_USER_ERROR: "UserError", EXIT_VALIDATION_FAILED: "ValidationFailed"}
EXIT_CODES = {name: code for code, name in FAILURE_NAMES.items()}


def stage_rows(order: Sequence[str], results: Mapping[str, StageResult]) -> list[dict[str, Any]]:
    """A row a stage: what happened, for how long, why not."""
    return [_row(stage, results.get(stage)) for stage in order]


def _row(stage: str, result: StageResult | None) -> dict[str, Any]:
    if result is None:
        return {"stage": stage, "outcome": "not started", "seconds": 0.0, "message": ""}
    return {
        "stage": stage,
        "outcome": result.outcome,
        "seconds": round(result.seconds, 1),
        "message": result.message,
    }


def as_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows as aligned lines for a terminal."""
    width = max((len(str(row["stage"])) for row in rows), default=0)
    return "\n".join(
        f"{row['stage']:<{width}}  {row['outcome']:<11}  {row['seconds']:>8.1f} s  {row['message']}".rstrip()
        for row in rows
    )


def as_markdown(rows: Sequence[Mapping[str, Any]], root: Path) -> str:
    """The rows as a table, then the comparison and the path of the report as far as this project has them."""
    lines = ["| stage | outcome | seconds | |", "|---|---|---:|---|"]
    lines += [
        f"| {row['stage']} | {row['outcome']} | {row['seconds']} | {str(row['message']).replace('|', '/')} |"
        for row in rows
    ]
    evaluated = any(row["stage"] == "evaluate" and row["outcome"] in {"ran", "reused"} for row in rows)
    summary, report = (root / "reports" / "evaluate" / name for name in ("summary.md", "report.html"))
    if evaluated and summary.is_file():
        lines += ["", summary.read_text().strip()]
    if evaluated and report.is_file():
        lines += ["", f"Report: `{report}`"]
    return "\n".join(lines) + "\n"


def failure(order: Sequence[str], results: Mapping[str, StageResult]) -> tuple[str, str] | None:
    """(name, sentence) of the first failure in the order of the pipeline; None when all stages are up to date."""
    failed = [results[stage] for stage in order if stage in results and results[stage].outcome == "failed"]
    if not failed:
        missing = [stage for stage in order if stage not in results]
        return ("Failed", f"not started: {', '.join(missing)}") if missing else None
    first = failed[0]
    more = f" ({len(failed) - 1} more failed)" if len(failed) > 1 else ""
    return FAILURE_NAMES.get(first.stage_code or 0, "Failed"), f"stage {first.stage}: {first.message}{more}"
