"""Which rows count, how reasons are joined, and when a set is stopped."""

import numpy as np
import pandas as pd
import pytest

from stages.common.errors import UserError
from stages.common.params import parse
from stages.validate.judging import Result, error_text, plain
from stages.validate.params import MaxShareParams, SeverityParams, ValidateParams
from stages.validate.quarantine import failure, judged_facts, quarantined, set_metrics, verdict_table


def result(name: str, broken_by: tuple[str, ...] = (), success: bool = True, **changed: object) -> Result:
    values = {
        "name": name,
        "detail": "",
        "sentence": "",
        "severity": "warning",
        "success": success,
        "observed": 0.5,
        "unexpected_count": len(broken_by),
        "bounds": {"max_share": 0.1},
        "error": "",
        "broken_by": broken_by,
    }
    return Result(**(values | changed))


def test_reasons_are_joined_in_the_order_of_the_expectations():
    found = quarantined([result("a", ("x", "y")), result("b", ("y", "y")), result("c")])
    assert found.to_dict("list") == {"key": ["x", "y"], "reasons": ["a", "a; b"]}


def test_an_empty_quarantine_keeps_its_columns():
    assert quarantined([result("a")]).columns.tolist() == ["key", "reasons"]


def test_metrics_count_each_reason_and_name_those_without_a_case():
    results = [result("a", ("x", "y")), result("b", ("y",)), result("c"), result("whole", bounds={})]
    quarantine = quarantined(results)
    verdict = verdict_table(pd.Series(["x", "y", "z", "w"]), quarantine)
    assert set_metrics(verdict, quarantine, results) == {
        "validate/accepted_share": 0.5,
        "validate/accepted": 2,
        "validate/quarantined": 2,
        "validate/a": 2,
        "validate/b": 1,
        "validate/c": 0,
    }


def test_only_failed_critical_results_stop():
    assert failure([result("a", success=False), result("b", severity="critical")]) is None
    stopped = failure([result("b", ("x",), success=False, severity="critical")])
    assert stopped == "b: 1 samples (50.0%) break it"
    assert "could not be judged: no column" in str(
        failure([result("b", success=False, severity="critical", error="no column")])
    )


def test_real_rows_are_judged_by_their_format_alone():
    facts = pd.DataFrame(
        {
            "key": ["r", "g", "broken", "again"],
            "well_formed": [1.0, 1, 0, 1],
            "unknown_pixels": [0, 3, 0, 0],
            "genuine_real": [1.0, np.nan, np.nan, np.nan],
            "specks": [9, 9, 9, 9],
            "has_class_1": [1.0, 1, 1, 1],
            "exact_duplicate_of": pd.Series([None, None, None, "g"], dtype=object),
            "near_sample_distance": [0.0, 5, 5, 0],
        }
    )
    judged = judged_facts(facts, np.array([True, False, False, False]))
    assert judged["specks"].isna().tolist() == [True, False, True, False]
    assert judged["unknown_pixels"].isna().tolist() == [False, False, True, False]
    assert judged["has_class_1"].isna().tolist() == [False, False, True, False]
    assert judged["near_sample_distance"].isna().tolist() == [True, False, True, True]
    assert facts["specks"].tolist() == [9, 9, 9, 9]


def test_errors_are_found_whichever_way_they_are_keyed():
    quiet = {"raised_exception": False, "exception_message": None, "exception_traceback": None}
    loud = {"raised_exception": True, "exception_message": "no column\nzz", "exception_traceback": "..."}
    assert error_text(quiet) == ""
    assert error_text(loud) == "no column zz"
    assert error_text({"metric a": loud, "metric b": loud}) == "no column zz"


def test_plain_numbers():
    assert type(plain(np.float64(0.5))) is float
    assert plain(float("nan")) is None
    assert plain("x") == "x"


def test_every_expectation_about_samples_has_a_severity(tmp_path):
    assert set(MaxShareParams.model_fields) <= set(SeverityParams.model_fields)
    with pytest.raises(UserError, match="no_nose is not a known key; did you mean no_noise"):
        parse(ValidateParams, {"severity": {"no_nose": "warning"}}, tmp_path, "validate")
