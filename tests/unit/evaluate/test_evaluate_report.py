import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from evaluate_builders import EYES, gaze_findings, gaze_scored, made_findings, pck_scored, scored, target_of

from stages.common.pictures import save_png
from stages.common.recipes import RECIPES
from stages.common.spec import DatasetSpec
from stages.evaluate.html import render
from stages.evaluate.images import picture_rows

VOID = {"meta", "img", "br", "link", "rect", "line", "circle", "path", "polyline"}


class Page(HTMLParser):
    """Checks that every element is closed in order, and gathers what the page would load."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loads: list[str] = []
        self.tags: set[str] = set()
        self.ids: list[str] = []
        self.anchors: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        found = dict(attrs)
        self.loads += [found[key] for key in ("src", "srcset", "data", "poster") if key in found]
        self.ids += [found["id"]] if "id" in found else []
        if tag == "a":
            self.anchors.append(found["href"])
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.add(tag)

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag


def tiles(count: int = 6) -> dict[str, list[dict[str, object]]]:
    images = np.full((count, 8, 8, 1), 200, np.uint8)
    masks, keys = torch.ones((count, 8, 8), dtype=torch.uint8), [f"t{i}" for i in range(count)]
    target = target_of(DatasetSpec(name="digits", size=(8, 8), channels=1, classes=("background", "eye")))
    return picture_rows(images, masks, keys, {"real": masks, "gan": masks * 0}, "real", target, 1)


def two_recipes():
    return [
        scored("real", [0.50, 0.52], 50, background=[0.9, 0.9], eye=[0.1, 0.2]),
        scored("gan", [0.70, 0.72], 1500, background=[0.9, 0.9], eye=[0.5, 0.6]),
    ]


@pytest.fixture
def full(tmp_path: Path) -> Path:
    """A project with every report that the page can show."""
    picture = np.full((8, 16, 3), 90, np.uint8)
    for stage, names in {
        "pretrain": ["reals", "fakes", "fakes_untruncated", "fakes_00001000"],
        "invert": ["pairs"],
        "label/gan": ["cross_validation"],
        "generate/real": ["samples"],
        "generate/gan": ["samples", "uncertain"],
        "validate/real": ["quarantine"],
        "validate/gan": ["quarantine", "neighbours"],
    }.items():
        for name in names:
            save_png(tmp_path / "reports" / stage / "pictures" / f"{name}.png", picture)
    figures = {"pretrain": {"gan/fd": 0.0712}, "invert": {"invert/rmse": 0.062}, "label/gan": {"label/miou_cv": 0.8031}}
    for stage, metrics in figures.items():
        (tmp_path / "reports" / stage / "metrics.json").write_text(json.dumps(metrics))
    rows = [{"images": 100 * i, "generator": 0.7, "discriminator": 0.5} for i in range(3)]
    (tmp_path / "reports/pretrain/stats.jsonl").write_text("\n".join(json.dumps(row) for row in rows) + '\n{"cut')
    for recipe in ("real", "gan"):
        data, train = tmp_path / "data/validate" / recipe, tmp_path / "reports/train" / recipe
        data.mkdir(parents=True)
        train.mkdir(parents=True)
        reasons = ["no_noise; label_aligned", "no_noise"] if recipe == "gan" else []
        keys = [f"gan-{i:06d}" for i in range(len(reasons))]
        pd.DataFrame({"key": keys, "reasons": reasons}).to_parquet(data / "quarantine.parquet")
        result = {"name": "no_noise", "sentence": "About as much texture as real ones.", "success": recipe == "real"}
        (tmp_path / f"reports/validate/{recipe}/validation.json").write_text(
            json.dumps([result | {"severity": "critical", "unexpected_count": 2}])
        )
        (tmp_path / f"reports/validate/{recipe}/metrics.json").write_text('{"validate/no_training_copy": 3}')
        (train / "history.csv").write_text("seed,step,loss,val_miou\n0,100,0.5,0.6\n0,200,0.4,0.7\n")
    return tmp_path


def test_the_page_is_well_formed_and_loads_nothing(full):
    text = render(made_findings(full, two_recipes()), tiles())
    page = Page(text)
    assert page.open == []
    assert page.loads
    assert all(source.startswith("data:image/png;base64,") for source in page.loads)
    assert not page.tags & {"script", "link", "iframe", "object", "embed"}
    assert not re.search(r"https?:|@import|url\(", text)


def test_every_link_of_the_contents_leads_somewhere(full):
    page = Page(render(made_findings(full, two_recipes()), tiles()))
    assert {f"#{name}" for name in page.ids} == set(page.anchors)


def test_a_full_page_misses_nothing(full):
    text = render(made_findings(full, two_recipes()), tiles())
    assert "Not shown" not in text
    assert "0.510 ± 0.014" in text
    assert "+0.200" in text
    assert "0.8031" in text
    assert "0.0712" in text
    assert re.search(r"<td>no_noise</td><td class=\"n\">2</td>", text)
    assert re.search(r"<td>label_aligned</td><td class=\"n\">1</td>", text)


def test_a_generator_that_was_trained_elsewhere_is_named_and_no_curve_is_missed(full):
    (full / "reports/pretrain/stats.jsonl").write_text("")
    findings = made_findings(full, two_recipes())
    assert "Not shown" in render(findings, tiles())
    taken = replace(findings.provenance, params={"pretrain.weights": "faces.pt"})
    text = render(replace(findings, provenance=taken), tiles())
    assert "Not shown" not in text
    assert "not trained here but taken from <code>faces.pt</code>" in text


def test_missing_reports_are_named_instead_of_failing(tmp_path):
    text = render(made_findings(tmp_path, two_recipes(), missing=("gan+real",)), tiles())
    for name in ("invert/metrics.json", "label/gan/metrics.json", "pretrain/metrics.json", "pretrain/stats.jsonl"):
        assert f"reports/{name}</code> is not there" in text
    assert "data/validate/gan/quarantine.parquet</code> is not there" in text
    assert "Recipe gan+real is not in this comparison" in text
    assert Page(text).open == []


def test_names_from_the_data_are_escaped_everywhere(tmp_path):
    name = "<b>x</b>"
    scores = [scored("real", [0.5, 0.6], 9, **{name: [0.5, 0.6]}), scored("gan", [0.5, 0.6], 9, **{name: [0.2, 0.3]})]
    text = render(made_findings(tmp_path, scores, classes=("background", name)), tiles())
    assert name not in text
    assert text.count("&lt;b&gt;x&lt;/b&gt;") >= 3  # legend, chart and table


def test_one_recipe_with_one_seed_makes_a_page(tmp_path):
    text = render(made_findings(tmp_path, [scored("real", [0.5], None, eye=[0.5])]), {})
    assert "Only real was evaluated" in text
    assert Page(text).open == []


def gaze_tiles() -> dict[str, list[dict[str, object]]]:
    """Six eyes that look straight ahead; `refined` finds that 1 to 6 degrees too far left, `simulated` twice that."""
    yaw = torch.deg2rad(torch.arange(1.0, 7))
    ahead, off = (torch.stack([-torch.sin(a), torch.zeros(6), -torch.cos(a)], dim=1) for a in (yaw * 0, yaw))
    worse = torch.stack([-torch.sin(2 * yaw), torch.zeros(6), -torch.cos(2 * yaw)], dim=1)
    images = np.random.default_rng(0).integers(0, 200, (6, 36, 60, 1), np.uint8)
    found = {"simulated": worse, "refined": off}
    return picture_rows(images, ahead, [f"e{i}" for i in range(6)], found, "refined", target_of(EYES), 1)


def eye_scores():
    return [gaze_scored("simulated", [9.0, 9.2], 4000), gaze_scored("refined", [6.0, 6.4], 4000)]


def test_pictures_of_gaze_come_from_the_smallest_error_to_the_largest():
    rows = gaze_tiles()
    assert [rows[group][0]["key"] for group in ("best", "median", "worst")] == ["e0", "e2", "e5"]
    predictions = rows["worst"][0]["predictions"]
    assert [recipe for recipe, _, _ in predictions] == ["simulated", "refined"]
    assert [score for _, _, score in predictions] == pytest.approx([12, 6], abs=1e-3)
    assert len({rows["worst"][0]["truth"], *(uri for _, uri, _ in predictions)}) == 3  # three different arrows


def test_a_page_about_gaze_speaks_of_degrees_and_has_no_classes(tmp_path):
    text = render(gaze_findings(tmp_path, eye_scores()), gaze_tiles())
    page = Page(text)
    assert page.open == []
    assert {f"#{name}" for name in page.ids} == set(page.anchors)
    assert "refined wins: its gaze error is 2.90° below that of simulated (0.68 of it)" in text
    assert '<span class="good">-2.90°</span>' in text
    assert "<small>6.0°</small>" in text
    assert "Gaze error is the mean angle between true and found gaze, lower is better." in text
    assert "Within 7 degrees" in text
    assert "parts" not in page.ids
    assert not {"inversion", "labels", "gan"} & set(page.ids)
    for word in ("IoU", "0 classes", "Each class", "Uncertainty", "uncertain.png"):
        assert word not in text


def test_a_worse_error_is_marked_as_bad(tmp_path):
    scores = [gaze_scored("simulated", [6.0, 6.2]), gaze_scored("refined", [9.0, 9.2])]
    assert '<span class="bad">+3.00°</span>' in render(gaze_findings(tmp_path, scores), {})


def test_a_page_about_keypoints_has_a_section_of_each(tmp_path):
    scores = [pck_scored("real", [0.5, 0.6], k0=[0.4, 0.5], k1=[0.6, 0.7])]
    spec = DatasetSpec(name="hands", size=(64, 48), channels=1, keypoints=2)
    text = render(made_findings(tmp_path, scores, spec=spec, task="keypoints"), {})
    assert "<h2>Each keypoint</h2>" in text
    assert '<a href="#parts">Keypoints</a>' in text
    assert "PCK is the share of keypoints within 5 px, 0 to 1." in text
    assert "· 2 keypoints ·" in text
    assert Page(text).open == []


def test_refining_is_in_the_contents_when_it_was_done(tmp_path):
    (tmp_path / "reports/refine").mkdir(parents=True)
    (tmp_path / "reports/refine/metrics.json").write_text('{"refine/told_refined": 0.55}')
    assert "#refining" in Page(render(gaze_findings(tmp_path, eye_scores()), {})).anchors


def test_every_recipe_has_a_colour_of_its_own(tmp_path):
    text = render(made_findings(tmp_path, [scored(recipe, [0.5, 0.6]) for recipe in RECIPES]), {})
    for number, recipe in enumerate(RECIPES):
        assert f'<i class="s{number} key"></i>{recipe}' in text
        assert f"i.s{number}{{background:var(--s{number})}}" in text
        assert text.count(f"--s{number}:#") == 2


def test_composing_shows_its_steps_and_how_hard_each_placer_is(tmp_path):
    folder = tmp_path / "reports/compose"
    (folder / "pictures").mkdir(parents=True)
    (folder / "metrics.json").write_text('{"compose/hardness_learned": 0.9, "compose/hardness_random": 0.5}')
    rows = [{"step": s, "hardness/learned": s / 200, "hardness/random": 0.5} for s in (100, 200)]
    (folder / "stats.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for step in (100, 200):
        save_png(folder / "pictures" / f"composites_{step:06d}.png", np.zeros((8, 8, 3), np.uint8))
    text = render(made_findings(tmp_path, [scored("real", [0.5, 0.6]), scored("composite", [0.4, 0.5])]), {})
    section = text[text.index('<section id="composing">') : text.index('<section id="training">')]
    assert section.count("<img") == 2
    assert "After 100 steps." in section
    assert section.count("<polyline") == 2
    assert '<i class="s0 key"></i>learned' in section
    assert "#composing" in Page(text).anchors
    assert Page(text).open == []


def annotated_by(root: Path, by_oracle: float) -> str:
    """The page of a comparison with `annotated`."""
    (root / "reports/annotate/pictures").mkdir(parents=True)
    found = {"annotate/images": 50.0, "annotate/by_oracle": by_oracle, "annotate/oracle_accuracy": 0.9625}
    (root / "reports/annotate/metrics.json").write_text(json.dumps(found))
    save_png(root / "reports/annotate/pictures/selected.png", np.zeros((8, 8, 3), np.uint8))
    (root / "reports/label/annotated").mkdir(parents=True)
    (root / "reports/label/annotated/metrics.json").write_text('{"label/miou_cv": 0.7125}')
    scores = [scored("real", [0.5, 0.6]), scored("annotated", [0.4, 0.5])]
    return render(made_findings(root, scores, missing=("gan", "composite"), empty=("composite",)), {})


def test_an_oracle_is_not_taken_for_a_person(tmp_path):
    text = annotated_by(tmp_path, 1.0)
    assert "The images of annotated were annotated by an oracle, not by a person." in text
    section = text[text.index('<section id="annotation">') : text.index('<section id="labels">')]
    assert "by an oracle, not by a person: a classifier of digits" in section
    assert "0.9625" in section
    assert section.count("<img") == 1
    assert "0.7125" in text[text.index('<section id="labels">') :]
    assert Page(text).open == []
    assert {"#annotation", "#inversion", "#gan"} <= set(Page(text).anchors)


def test_a_person_is_not_called_an_oracle(tmp_path):
    text = annotated_by(tmp_path, 0.0)
    assert "oracle, not" not in text
    assert '<section id="annotation">' in text


def test_a_recipe_that_is_left_out_is_said_to_be_and_why(tmp_path):
    text = annotated_by(tmp_path, 0.0)
    assert "Recipe gan is not in this comparison: it has no models yet." in text
    assert "Recipe composite is not in this comparison: there is nothing to make its training set of." in text
