"""Running expectations over a table, and their results as plain values."""

import logging
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd


@dataclass(frozen=True)
class Result:
    """What one expectation found.

    observed: the value of the set, or the share of judged samples that break it. bounds: what was asked. error: what
    kept it from judging, for example a missing column; such a result counts as critical. broken_by: keys of samples.
    """

    name: str
    detail: str
    sentence: str
    severity: str
    success: bool
    observed: float | None
    unexpected_count: int
    bounds: dict[str, Any]
    error: str
    broken_by: tuple[str, ...]

    @property
    def stops(self) -> bool:
        """Whether this result stops the pipeline."""
        return not self.success and self.severity == "critical"

    def report(self) -> dict[str, Any]:
        """JSON values for validation.json; the keys of the samples are in the quarantine instead."""
        values = asdict(self)
        del values["broken_by"]
        return values


def judge(table: pd.DataFrame, expectations: list[Any]) -> list[Result]:
    """Run the expectations over the table, whose `key` column names the samples."""
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    asset = context.data_sources.add_pandas("facts").add_dataframe_asset("facts")
    batch = asset.add_batch_definition_whole_dataframe("facts").get_batch(batch_parameters={"dataframe": table})
    suite = gx.ExpectationSuite(name="samples", expectations=expectations)
    detailed = {"result_format": "COMPLETE", "unexpected_index_column_names": ["key"]}
    results = [_result(found) for found in batch.validate(suite, result_format=detailed).results]
    # Great Expectations returns them grouped by column.
    order = {(e.meta["name"], e.meta["detail"]): position for position, e in enumerate(expectations)}
    return sorted(results, key=lambda result: order[result.name, result.detail])


def _result(found: Any) -> Result:
    config, outcome = found.expectation_config, found.result
    error = error_text(found.exception_info)
    bounds = {k: plain(v) for k, v in config.kwargs.items() if k in ("column", "min_value", "max_value")}
    if "max_share" in config.meta:
        bounds["max_share"] = config.meta["max_share"]
    if (share := outcome.get("unexpected_percent")) is not None:
        observed = plain(share / 100)
    else:
        observed = plain(outcome.get("observed_value"))
    return Result(
        name=config.meta["name"],
        detail=config.meta["detail"],
        sentence=config.description,
        severity="critical" if error else str(getattr(config.severity, "value", config.severity)),
        success=bool(found.success),
        observed=observed,
        unexpected_count=int(outcome.get("unexpected_count", 0)),
        bounds=bounds,
        error=error,
        broken_by=tuple(str(row["key"]) for row in outcome.get("unexpected_index_list") or ()),
    )


def error_text(info: dict[str, Any]) -> str:
    """The exception of a result in one line, or nothing. Great Expectations keys some of them by metric."""
    entries = [info] if "raised_exception" in info else list(info.values())
    messages = [str(e.get("exception_message")) for e in entries if isinstance(e, dict) and e.get("raised_exception")]
    return "; ".join(dict.fromkeys(" ".join(message.split()) for message in messages))


def plain(value: Any) -> Any:
    """A number as Python's own, so that JSON takes it; nan as None."""
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and value != value else value
