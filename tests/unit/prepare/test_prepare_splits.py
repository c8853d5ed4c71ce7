from dataclasses import replace

import numpy as np
import pytest

from stages.common.errors import UserError
from stages.prepare.params import PrepareParams
from stages.prepare.splits import Pile, choose_splits, require_images_for_classes

CLASSES = ("background", "a", "b", "c", "d", "e")


def pile_of(pools, groups=None, labels=None, copies=()) -> Pile:
    """N images that show one class each, 1 to 5 in turn unless given."""
    count = len(pools)
    labels = np.arange(count) % 5 + 1 if labels is None else np.asarray(labels)
    shows = np.zeros((count, 6), bool)
    shows[:, 0] = shows[np.arange(count), labels] = True
    shows[np.asarray(pools) == "unlabeled"] = False
    groups = [f"g{row}" for row in range(count)] if groups is None else groups
    pairs = np.array(copies, dtype=int).reshape(-1, 2)
    return Pile(np.asarray(pools), np.asarray(groups), shows, pairs, CLASSES)


def params_of(**values) -> PrepareParams:
    return PrepareParams(**({"labeled": 10, "val": 10, "test": 20} | values))


def test_one_labelled_pool_is_parted_into_all_four_sets():
    splits = choose_splits(pile_of(["labeled"] * 100), params_of(), seed=0)
    test, val, labeled, unlabeled = (set(splits[name]) for name in ("test", "val", "labeled", "unlabeled"))
    assert (len(test), len(val), len(labeled), len(unlabeled)) == (20, 10, 10, 70)
    assert labeled < unlabeled
    assert test | val | unlabeled == set(range(100))
    for rows, each in ((splits["test"], 4), (splits["val"], 2), (splits["labeled"], 2)):
        assert np.bincount(rows % 5).tolist() == [each] * 5


def test_the_choice_of_10_is_the_head_of_the_choice_of_20():
    pile = pile_of(["labeled"] * 100)
    ten = choose_splits(pile, params_of(labeled=10), seed=3)
    twenty = choose_splits(pile, params_of(labeled=20), seed=3)
    assert twenty["labeled"][:10].tolist() == ten["labeled"].tolist()
    assert twenty["test"].tolist() == ten["test"].tolist()
    assert choose_splits(pile, params_of(test=10), seed=3)["test"].tolist() == ten["test"][:10].tolist()


def test_the_same_seed_gives_the_same_sets_and_another_seed_others():
    pile = pile_of(["labeled"] * 100)
    first, again, other = (choose_splits(pile, params_of(), seed) for seed in (0, 0, 1))
    assert all(first[name].tolist() == again[name].tolist() for name in first)
    assert first["labeled"].tolist() != other["labeled"].tolist()


@pytest.mark.parametrize("seed", range(5))
def test_groups_never_cross_from_held_out_to_learned(seed):
    groups = np.array([f"person{row // 4}" for row in range(200)])
    # Within a group of four all classes but one turn up, so that strata and groups are not the same thing.
    splits = choose_splits(pile_of(["labeled"] * 200, groups), params_of(), seed)
    people = {name: set(groups[rows]) for name, rows in splits.items()}
    assert not people["test"] & (people["val"] | people["labeled"] | people["unlabeled"])
    assert not people["val"] & (people["labeled"] | people["unlabeled"])
    assert len(splits["test"]) == 20
    assert len(people["test"]) == 5  # whole groups, not twenty people with one image each


@pytest.mark.parametrize("seed", range(5))
def test_copies_never_cross_from_held_out_to_learned(seed):
    copies = [(row, row + 50) for row in range(50)]
    splits = choose_splits(pile_of(["labeled"] * 100, copies=copies), params_of(), seed)
    original = {name: set(rows % 50) for name, rows in splits.items()}
    assert not original["test"] & (original["val"] | original["unlabeled"])
    assert not original["val"] & original["unlabeled"]


def test_the_group_of_a_copy_of_a_held_out_image_is_held_out_too():
    # 0 is tested, 1 validates; 2 copies 0 and shows the same as 3 and 8; 4 copies 1 and shows the same as 5.
    pools = ["test", "val", *["labeled"] * 5, "unlabeled", "unlabeled"]
    groups = ["t", "v", "p", "p", "q", "q", "r", "s", "p"]
    labels = [1, 1, 1, 2, 1, 2, 1, 1, 1]
    pile = pile_of(pools, groups, labels, copies=[(0, 2), (4, 1)])
    splits = choose_splits(replace(pile, learnt=False), params_of(labeled=None, full=None), seed=0)
    assert {name: splits[name].tolist() for name in ("test", "val", "labeled", "unlabeled")} == {
        "test": [0],
        "val": [1],
        "labeled": [6],
        "unlabeled": [7],
    }


def test_sets_of_the_source_keep_their_images_and_rank_test_val_labeled_unlabeled():
    pools = ["test"] * 5 + ["val"] * 5 + ["labeled"] * 10 + ["unlabeled"] * 6
    copies = [(0, 5), (1, 10), (6, 11), (2, 20), (7, 21), (12, 22)]
    splits = choose_splits(pile_of(pools, copies=copies), params_of(labeled=None, test=2, val=0), seed=0)
    assert set(splits["test"]) == {0, 1, 2, 3, 4}
    assert set(splits["val"]) == {6, 7, 8, 9}
    assert set(splits["labeled"]) == set(range(12, 20))
    assert set(splits["unlabeled"]) == {22, 23, 24, 25}  # 22 is a copy of a labelled image, and may stay


def test_a_class_with_one_labelled_image_goes_to_labeled_not_to_test():
    labels = np.arange(60) % 4 + 1
    labels[37] = 5
    for seed in range(8):
        splits = choose_splits(pile_of(["labeled"] * 60, labels=labels), params_of(labeled=5), seed)
        assert 37 in splits["labeled"]
        assert 37 not in splits["test"]


def test_five_images_show_five_classes_however_common_each_is():
    labels = np.array([1] * 80 + [2] * 10 + [3] * 4 + [4] * 3 + [5] * 3)
    pools = ["labeled"] * 100 + ["test"] * 5 + ["unlabeled"] * 3
    pile = pile_of(pools, labels=[*labels, 1, 2, 3, 4, 5, 1, 1, 1])
    splits = choose_splits(pile, params_of(labeled=5, val=0), seed=0)
    assert sorted(labels[splits["labeled"]]) == [1, 2, 3, 4, 5]
    assert len(splits["val"]) == 0


def test_a_limited_unlabelled_set_starts_with_the_labelled_images_of_a_shared_pool():
    splits = choose_splits(pile_of(["labeled"] * 100), params_of(unlabeled=15), seed=0)
    assert set(splits["unlabeled"][:10]) == set(splits["labeled"])
    assert len(set(splits["unlabeled"])) == 15


@pytest.mark.parametrize("seed", range(3))
def test_images_of_the_oracle_are_in_no_other_labelled_set_and_leave_the_others_as_they_are(seed):
    groups = [f"g{row // 2}" for row in range(200)]
    pile = pile_of(["labeled"] * 200, groups, copies=[(row, row + 100) for row in range(0, 100, 5)])
    plain, found = (choose_splits(pile, params_of(oracle=count), seed) for count in (0, 30))
    assert len(plain["oracle"]) == 0
    assert len(found["oracle"]) == 30
    for name in ("test", "val", "labeled", "unlabeled"):
        assert found[name].tolist() == plain[name].tolist()
    near = pile.reach(found["oracle"])
    assert not any(near[found[name]].any() for name in ("test", "val", "labeled"))
    assert set(found["labeled"]) | set(found["oracle"]) <= set(found["unlabeled"])


def test_only_digits_have_an_oracle():
    splits = choose_splits(pile_of(["labeled"] * 100), params_of(source="folder", oracle=30), seed=0)
    assert len(splits["oracle"]) == 0
    assert len(splits["unlabeled"]) == 70


def test_three_labelled_images_for_five_classes():
    with pytest.raises(UserError, match=r"^prepare\.labeled: 3 labelled images for 5 classes; ask for at least 5"):
        require_images_for_classes(3, 5)
    require_images_for_classes(5, 5)
    require_images_for_classes(None, 5)


def test_a_class_that_no_labelled_image_shows_is_named():
    pools = ["labeled"] * 20 + ["test"] * 5
    labels = [*(np.arange(20) % 4 + 1), 1, 2, 3, 4, 5]
    with pytest.raises(UserError, match=r"^class e: no labelled image"):
        choose_splits(pile_of(pools, labels=labels), params_of(val=0), seed=0)


def test_the_sets_are_the_same_whatever_is_learnt():
    pile = pile_of(["labeled"] * 100)
    masks, keypoints = (choose_splits(one, params_of(), seed=0) for one in (pile, replace(pile, learnt=False)))
    assert all(masks[name].tolist() == keypoints[name].tolist() for name in masks)


def test_classes_that_are_not_learnt_need_no_image_each():
    labels = [1, 2, 3, 4, 1, 2]  # nothing shows e
    pile = pile_of(["labeled"] * 6, labels=labels)
    with pytest.raises(UserError, match=r"^prepare\.test: 4 images asked for, but only 2 are left"):
        choose_splits(pile, params_of(labeled=2, val=0, test=4), seed=0)  # one of each class is kept for labeled
    with pytest.raises(UserError, match=r"^class e: no labelled image"):
        choose_splits(pile, params_of(labeled=2, val=0, test=2), seed=0)
    splits = choose_splits(replace(pile, learnt=False), params_of(labeled=2, val=0, test=4), seed=0)
    assert (len(splits["labeled"]), len(splits["test"])) == (2, 4)
    assert not set(splits["labeled"]) & set(splits["test"])


@pytest.mark.parametrize(
    ("key", "count"), [("test", 200), ("val", 90), ("labeled", 80), ("oracle", 61), ("unlabeled", 71)]
)
def test_a_count_that_the_images_do_not_allow_names_its_key(key, count):
    with pytest.raises(UserError, match=rf"^prepare\.{key}: {count} images asked for, but only \d+ are left"):
        choose_splits(pile_of(["labeled"] * 100), params_of(**{key: count}), seed=0)


def test_a_class_is_made_rare_among_the_labelled_images_alone():
    pile = pile_of(["labeled"] * 200)
    plain = choose_splits(pile, params_of(labeled=30), seed=0)
    rare = choose_splits(pile, params_of(labeled=30, at_most={pile.classes[1]: 2}), seed=0)
    assert pile.shows[plain["labeled"], 1].sum() > 2
    assert pile.shows[rare["labeled"], 1].sum() == 2
    assert len(rare["labeled"]) == 30
    assert rare["test"].tolist() == plain["test"].tolist()


def test_a_rare_class_that_there_is_not_is_refused():
    with pytest.raises(UserError, match=r"prepare\.at_most: zebra is no class"):
        choose_splits(pile_of(["labeled"] * 200), params_of(at_most={"zebra": 1}), seed=0)


def test_full_is_what_labeled_leaves_over_and_changes_no_other_set():
    pile = pile_of(["labeled"] * 100)
    plain, full, some = (choose_splits(pile, params_of(full=count), seed=0) for count in (0, None, 30))
    assert len(plain["full"]) == 0
    assert set(full["full"]) == set(full["unlabeled"]) - set(full["labeled"])
    assert len(full["full"]) == 60
    assert some["full"].tolist() == full["full"][:30].tolist()
    for name in ("test", "val", "labeled", "unlabeled"):
        assert full[name].tolist() == plain[name].tolist()


def test_a_pool_of_further_labelled_images_joins_full_and_nothing_else():
    pools = ["test"] * 5 + ["labeled"] * 10 + ["full"] * 6 + ["unlabeled"] * 4
    splits = choose_splits(pile_of(pools), params_of(labeled=7, test=2, val=0, full=None), seed=0)
    assert set(splits["full"]) == (set(range(5, 15)) - set(splits["labeled"])) | set(range(15, 21))
    assert set(splits["unlabeled"]) == set(range(21, 25))
    assert set(choose_splits(pile_of(pools), params_of(labeled=None, val=0, full=None), 0)["full"]) == set(
        range(15, 21)
    )


@pytest.mark.parametrize("seed", range(3))
def test_groups_and_copies_never_cross_from_held_out_to_full(seed):
    groups = np.array([f"person{row // 4}" for row in range(200)])
    copies = [(row, row + 100) for row in range(100)]
    splits = choose_splits(pile_of(["labeled"] * 200, groups, copies=copies), params_of(full=None), seed)
    held_out = np.concatenate([splits["test"], splits["val"]])
    assert len(splits["full"])
    assert not set(groups[held_out]) & set(groups[splits["full"]])
    assert not set(held_out % 100) & set(splits["full"] % 100)


def test_more_further_images_than_there_are_names_the_key():
    with pytest.raises(UserError, match=r"^prepare\.full: 70 images asked for, but only 60 are left"):
        choose_splits(pile_of(["labeled"] * 100), params_of(full=70), seed=0)
    assert len(choose_splits(pile_of(["labeled"] * 40), params_of(labeled=None, full=None), seed=0)["full"]) == 0
