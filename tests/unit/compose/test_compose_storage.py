import torch
from compose_builders import CPU, SPEC, make_composer, shapes, small_params

from stages.compose.context import ContextModel
from stages.compose.networks import Synthesizer
from stages.compose.placers import place_in_turn, place_randomly
from stages.compose.storage import load_placer, save_placer


def composed(place, params):
    return make_composer(params).compose(place, 4, torch.Generator().manual_seed(0)).images


def test_a_placer_comes_back_as_it_was(tmp_path):
    torch.manual_seed(0)
    params = small_params(snapshots=2)
    synthesizers = [Synthesizer(1, params.synthesizer) for _ in range(2)]
    save_placer(tmp_path, params, SPEC, torch.nn.ModuleList(synthesizers), [])
    place, found = load_placer(tmp_path, CPU)
    assert found == params
    with torch.no_grad():
        assert torch.equal(composed(place, params), composed(place_in_turn(synthesizers), params))


def test_placers_without_and_with_a_network_are_loaded(tmp_path):
    random, context = small_params(placer="random"), small_params(placer="context", context={"width": 4})
    save_placer(tmp_path, random, SPEC, None, [])
    assert load_placer(tmp_path, CPU)[0] is place_randomly
    save_placer(tmp_path, context, SPEC, ContextModel(1, 3, 4), [])
    place = load_placer(tmp_path, CPU)[0]
    assert composed(place, context).shape == (4, 1, 24, 32)


def test_another_background_is_another_placer(tmp_path):
    pasted = tmp_path / "backgrounds"
    pasted.mkdir()
    digests = []
    for content in ("one", "two"):
        (pasted / "index").write_text(content)
        save_placer(tmp_path, small_params(placer="random"), SPEC, None, [pasted])
        digests.append((tmp_path / "placer.json").read_text())
    assert digests[0] != digests[1]


def test_several_synthesizers_take_turns():
    torch.manual_seed(0)
    one, other = (Synthesizer(1, small_params().synthesizer) for _ in range(2))
    objects = shapes().take(torch.zeros(40, dtype=torch.long))
    backgrounds = torch.zeros(40, 1, 24, 32)
    with torch.no_grad():
        placed = place_in_turn([one, other])(backgrounds, objects, torch.Generator().manual_seed(0))
        again = place_in_turn([one, one])(backgrounds, objects, torch.Generator().manual_seed(0))
    same = (placed == again).all(dim=1)
    assert 8 < same.sum() < 32
