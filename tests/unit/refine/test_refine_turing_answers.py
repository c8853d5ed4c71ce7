import json
import subprocess
import sys
from pathlib import Path

import pytest
from scipy.stats import binom
from turing_builders import answers_file

from stages.common.errors import UserError
from stages.refine.answers import read_answers, score, table

ROOT = Path(__file__).resolve().parents[3]


def test_the_p_value_is_that_of_the_article():
    assert round(score(517, 1000).p_value, 3) == 0.148
    assert score(162, 200).p_value <= 1e-8
    assert score(517, 1000).p_value == pytest.approx(binom.sf(516, 1000, 0.5))


def test_the_interval_is_two_sided_and_holds_the_share():
    found = score(8, 10)  # Clopper and Pearson's own table: 0.444 to 0.975
    assert (found.share, round(found.low, 3), round(found.high, 3)) == (0.8, 0.444, 0.975)
    assert (score(0, 10).low, score(10, 10).high, score(0, 10).p_value) == (0, 1, 1)


def test_several_people_are_pooled(tmp_path):
    paths = [answers_file(tmp_path, "ann", (3, 1, 2, 4)), answers_file(tmp_path, "7", (2, 0, 5, 1))]
    pooled = read_answers(paths)
    assert [one.subject for one in pooled.people] == ["ann", "7"]
    assert list(pooled.counts.values()) == [5, 1, 7, 5]
    assert (pooled.score.right, pooled.score.total) == (10, 18)
    assert pooled.score == score(10, 18)


def test_a_name_may_come_again_on_another_page(tmp_path):
    paths = [answers_file(tmp_path, "1", (2, 2, 2, 2), page=page) for page in ("aaa", "bbb")]
    assert read_answers(paths).score.total == 16


@pytest.mark.parametrize(
    ("others", "words"),
    [
        (lambda folder: [answers_file(folder, "ann", (1, 1, 1, 1))] * 2, "a second time"),
        (
            lambda folder: [answers_file(folder, "bob", (1, 1, 1, 1), kind="simulated", page="c")],
            "about simulated images",
        ),
        (lambda folder: [folder / "none.json"], "none.json: cannot be read"),
        (lambda folder: [folder], "cannot be read"),
    ],
    ids=["twice", "two kinds", "missing", "folder"],
)
def test_what_cannot_be_pooled_is_refused(tmp_path, others, words):
    with pytest.raises(UserError, match=words):
        read_answers([answers_file(tmp_path, "eve", (1, 1, 1, 1)), *others(tmp_path)])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda content: content["answers"].clear(), "answers"),
        (lambda content: content["answers"][0].update(truth="fake"), "truth"),
        (lambda content: content.pop("subject"), "subject"),
        (lambda content: content.update(format="other"), "format"),
    ],
)
def test_a_file_that_the_page_did_not_save_is_refused_by_its_key(tmp_path, change, words):
    path = answers_file(tmp_path, "ann", (1, 1, 1, 1))
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    with pytest.raises(UserError, match=words):
        read_answers([path])


def test_bytes_that_are_no_json_are_refused(tmp_path):
    path = tmp_path / "answers-x.json"
    for content in (b"\xff\xfe", b"{"):
        path.write_bytes(content)
        with pytest.raises(UserError, match="not valid JSON"):
            read_answers([path])


def test_the_table_says_everything_once(tmp_path):
    lines = table(read_answers([answers_file(tmp_path, "ann", (30, 20, 25, 25))])).splitlines()
    assert lines[0] == "refined images, 1 answered"
    assert [line.split()[:4] for line in lines if line.startswith("ann")] == [["ann", "55", "100", "0.550"]]
    assert [line.split() for line in lines if " images  " in line] == [
        ["real", "images", "30", "20"],
        ["made", "images", "25", "25"],
    ]


def test_the_command_prints_the_pooled_answers_and_refuses_in_one_sentence(tmp_path):
    # Ten people, 517 of 1000 right, as in the article.
    paths = [answers_file(tmp_path, str(i), (26, 24, 24, 26)) for i in range(8)]
    paths += [answers_file(tmp_path, str(i), (25, 25, 25, 25)) for i in (8,)]
    paths += [answers_file(tmp_path, "9", (26, 24, 25, 25))]
    done = run(*map(str, paths))
    assert done.returncode == 0, done.stderr
    assert "all together" in done.stdout
    assert "517   1000  0.517  0.486 to 0.548, p = 0.148" in done.stdout
    missing = run(str(tmp_path / "none.json"))
    assert missing.returncode == 2
    assert len(missing.stderr.strip().splitlines()) == 1


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "stages.refine.turing", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
