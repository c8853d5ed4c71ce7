"""What dvc says at the end, word for word as it was printed, and what follows from it."""

import pytest

from flows.runner import judge


def failed(command_output: list[str], error: str, code: int = 255):
    return judge("a", 1.0, code, ["Running stage 'a':", "> python -m stages.a", *command_output, error])


def test_ran():
    assert judge("a", 2.5, 0, ["Running stage 'a':", "> x", "Updating lock file 'dvc.lock'"]).outcome == "ran"


@pytest.mark.parametrize(
    "line", ["Stage 'a' didn't change, skipping", "Stage 'a' is cached - skipping run, checking out outputs"]
)
def test_reused(line):
    assert judge("a", 0.5, 0, [line]).outcome == "reused"
    assert judge("b", 0.5, 0, [line]).outcome == "ran"


def test_a_users_mistake_is_said_in_the_words_of_the_stage_and_not_tried_again():
    line = "ERROR: failed to reproduce 'a': failed to run: python -m stages.a, exited with 2"
    result = failed(["error: params.yaml: a.b is not a known key"], line)
    assert (result.outcome, result.stage_code, result.crashed) == ("failed", 2, False)
    assert result.message == "error: params.yaml: a.b is not a known key"


def test_failed_validation_is_not_tried_again():
    line = "ERROR: failed to reproduce 'a': failed to run: python -m stages.a, exited with 3"
    result = failed(["validation failed: 4 masks are empty"], line)
    assert (result.stage_code, result.crashed) == (3, False)


@pytest.mark.parametrize(("said", "code"), [("1", 1), ("-9", -9), ("137", -9), ("134", -6)])
def test_a_crash_is_tried_again(said, code):
    line = f"ERROR: failed to reproduce 'a': failed to run: python -m stages.a, exited with {said}"
    result = failed(["MemoryError"], line)
    assert (result.stage_code, result.crashed) == (code, True)
    assert result.message.endswith("its last line: MemoryError")


def test_what_a_stage_prints_is_not_taken_for_what_dvc_says():
    result = failed(["a child exited with 3"], "ERROR: failed to reproduce 'a': failed to run: x, exited with 1")
    assert result.stage_code == 1


def test_a_missing_input_is_not_tried_again_and_dvc_that_was_killed_is():
    result = failed([], "ERROR: failed to reproduce 'a': dependency 'raw.txt' does not exist")
    assert (result.stage_code, result.crashed, result.message) == (None, False, "dependency 'raw.txt' does not exist")
    assert judge("a", 1.0, -9, ["Running stage 'a':"]).crashed


def test_a_lock_held_by_another_process_is_tried_again():
    result = judge("a", 1.0, 255, ["ERROR: '/p/x' is busy, it is being blocked by:", "  (PID 7): dvc repro"])
    assert result.crashed
