import io
import json
import os
import re
import subprocess
import sys
from base64 import b64decode
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from turing_builders import looks_made, pile, pixels

from stages.common.errors import UserError
from stages.common.samples import Sample, write_set
from stages.common.spec import DatasetSpec, write_spec
from stages.refine.questions import make_test, shares
from stages.refine.turing import write_stage_page, write_turing_page

ROOT = Path(__file__).resolve().parents[3]


def odd(mark: int) -> bool:
    return mark.bit_count() % 2 == 1


@pytest.mark.parametrize(
    ("available", "images", "expected"),
    [
        (5000, 50, (10, 50)),
        (60, 50, (10, 50)),
        (59, 50, (9, 50)),
        (20, 10, (10, 10)),
        (12, 50, (2, 10)),
        (5, 50, (1, 4)),
    ],
)
def test_there_are_ten_examples_when_the_images_are_enough_and_fewer_when_not(available, images, expected):
    assert shares(available, images) == expected


def test_fewer_than_four_to_ask_about_is_refused():
    with pytest.raises(UserError, match="takes 5 of both"):
        make_test(pile(4, False), pile(40, True), "refined")


def test_the_examples_are_not_asked_and_nothing_comes_twice():
    real, made = pile(40, False), pile(30, True)
    test = make_test(real, made, "refined", images=12)
    everything = [*test.images, *test.real, *test.made]
    assert (len(test.images), len(test.real), len(test.made)) == (24, 10, 10)
    assert len(set(everything)) == len(everything)
    assert {pixels(uri).tobytes() for uri in everything} <= {image.tobytes() for image in (*real, *made)}
    assert not any(map(looks_made, test.real))
    assert all(map(looks_made, test.made))


def test_the_marks_know_the_truth_and_no_single_bit_gives_it_away():
    test = make_test(pile(250, False), pile(250, True), "refined", images=240)
    truth = np.array([looks_made(uri) for uri in test.images])
    assert [odd(mark) for mark in test.marks] == truth.tolist()
    bits = np.unpackbits(np.array(test.marks, np.uint8)[:, None], axis=1)
    assert all(0.4 < (bit == truth).mean() < 0.6 for bit in bits.T)
    assert 0.4 < (truth[:-1] == truth[1:]).mean() < 0.6  # mixed, not in turn


def test_both_kinds_are_encoded_alike():
    test = make_test(pile(20, False), pile(20, True, channels=3), "refined", images=10)
    files = [b64decode(uri.partition(",")[2]) for uri in (*test.images, *test.real, *test.made)]
    assert len({file[:33] for file in files}) == 1  # signature and IHDR: size, depth, colour type
    assert {tuple(Image.open(io.BytesIO(file)).info) for file in files} == {()}
    grey = make_test(pile(20, False), pile(20, True), "refined", images=10)
    assert pixels(grey.images[0]).ndim == 2


def test_kinds_of_two_sizes_are_refused():
    with pytest.raises(UserError, match="30 x 20 and made ones 16 x 16 pixels"):
        make_test(pile(20, False), pile(20, True, size=(16, 16)), "refined")


def test_images_are_enlarged_by_whole_numbers():
    sizes = {(36, 60): (5, 2), (28, 28): (11, 4), (256, 256): (1, 1), (512, 512): (1, 1)}
    for size, scales in sizes.items():
        test = make_test(pile(5, False, size=size), pile(5, True, size=size), "refined")
        assert (test.scale, test.example_scale) == scales


def test_the_page_needs_no_other_file_and_no_network(tmp_path):
    write_turing_page(tmp_path / "turing.html", pile(20, False), pile(20, True))
    text = (tmp_path / "turing.html").read_text()
    assert "default-src 'none'" in text
    bare = re.sub(r"data:image/png;base64,[\w+/=]+", "data:", text)
    assert not re.search(r"https?:|url\(|@import|<link|<iframe", bare)
    assert set(re.findall(r'(?:src|href)="([^"]*)"', bare)) == {"data:"}


def test_no_question_is_labelled_in_the_page(tmp_path):
    path = tmp_path / "turing.html"
    test = write_turing_page(path, pile(20, False), pile(20, True), images=10)
    text = path.read_text()
    data = json.loads(text.partition('id="test">')[2].partition("</script>")[0])
    assert data == {"id": test.id, "kind": "refined", "images": [*test.images], "marks": [*test.marks]}
    assert all(text.count(uri) == 1 for uri in test.images)  # in the data alone
    assert all(f'<img src="{uri}"' in text for uri in (*test.real, *test.made))


def test_the_same_images_and_seed_give_the_same_page_and_another_seed_another(tmp_path):
    real, made = pile(40, False), pile(40, True)
    pages = [tmp_path / f"{i}.html" for i in range(3)]
    tests = [write_turing_page(path, real, made, seed=seed) for path, seed in zip(pages, (1, 1, 2), strict=True)]
    assert pages[0].read_bytes() == pages[1].read_bytes() != pages[2].read_bytes()
    assert tests[0].id != tests[2].id


def test_a_name_is_shown_as_text(tmp_path):
    write_turing_page(tmp_path / "turing.html", pile(20, False), pile(20, True), name="<b>eyes</b>")
    assert "Dataset &lt;b&gt;eyes&lt;/b&gt;" in (tmp_path / "turing.html").read_text()


def test_the_stage_writes_a_page_that_says_why_there_is_no_test(tmp_path, capsys):
    write_stage_page(tmp_path / "turing.html", pile(3, False), pile(40, True), "eyes", 0)
    text = (tmp_path / "turing.html").read_text()
    assert "of one kind of image there are 3" in text
    assert "<script" not in text
    assert capsys.readouterr().out.count("\n") == 1


@pytest.fixture
def project(tmp_path: Path) -> Path:
    sets = {
        "prepare/unlabeled": pile(30, False),
        "generate/refined": pile(30, True),
        "prepare/simulated": pile(9, True),
    }
    for name, images in sets.items():
        write_set(tmp_path / "data" / name, (Sample(f"{i:03d}", image) for i, image in enumerate(images)))
    write_spec(DatasetSpec(name="eyes", size=(20, 30), channels=1), tmp_path / "data/prepare/spec.json")
    return tmp_path


def run(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "stages.refine.turing", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, capture_output=True, text=True, cwd=project, env=environment)


def test_the_command_writes_the_page_of_a_kind(project):
    done = run(project, "--images", "12")
    assert done.returncode == 0, done.stderr
    assert (
        done.stdout == ".local/turing-refined.html: 24 images to tell apart after 20 examples; open it in a browser\n"
    )
    assert "Dataset eyes · refined images" in (project / ".local/turing-refined.html").read_text()
    assert run(project, "--kind", "simulated", "--out", "control.html").returncode == 0
    assert "simulated images" in (project / "control.html").read_text()


def test_the_command_names_the_stage_that_is_missing(project):
    (project / "data/generate/refined").rename(project / "elsewhere")
    done = run(project)
    assert done.returncode == 2
    assert done.stderr == "error: data/generate/refined: not there yet; run `dvc repro generate@refined` first\n"
