import threading

import pytest

from flows import slots
from flows.slots import Slots, make_slots, visible_gpus


def test_the_visible_gpus_are_those_of_the_variable(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2, 5")
    assert visible_gpus() == ["2", "5"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert visible_gpus() == []


def test_two_gpus_are_given_out_to_two_stages_and_the_third_waits(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,5")
    both, never, order = make_slots("auto"), threading.Event(), []
    with both.hold("train@real", never) as one, both.hold("train@gan", never) as two:
        assert {one["CUDA_VISIBLE_DEVICES"], two["CUDA_VISIBLE_DEVICES"]} == {"2", "5"}

        def third() -> None:
            with both.hold("generate@gan", never) as environment:
                order.append(environment["CUDA_VISIBLE_DEVICES"])

        waiting = threading.Thread(target=third)
        waiting.start()
        waiting.join(0.2)
        assert order == []
    waiting.join(5)
    assert len(order) == 1


def test_fewer_gpus_may_be_asked_for(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,5,7")
    assert make_slots("auto", gpus=1).count == 1


@pytest.mark.parametrize(("cores", "count", "threads"), [(2, 1, None), (8, 1, None), (16, 2, "8"), (64, 8, "8")])
def test_without_a_gpu_the_heavy_stages_share_the_cores(monkeypatch, cores, count, threads):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    monkeypatch.setattr(slots.os, "sched_getaffinity", lambda _: set(range(cores)), raising=False)
    found = make_slots("cpu")
    assert found.count == count
    with found.hold("train", threading.Event()) as environment:
        assert environment.get("OMP_NUM_THREADS") == threads
        assert "CUDA_VISIBLE_DEVICES" not in environment


def test_a_light_stage_takes_no_slot_and_a_stopped_run_waits_for_none():
    none, stopped = Slots([]), threading.Event()
    with none.hold("validate@gan", stopped) as environment:
        assert environment == {}
    stopped.set()
    with none.hold("train", stopped) as environment:
        assert environment == {}
