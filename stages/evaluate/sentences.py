"""The verdict in words. A score of which more is better is spoken of as a lead, an error as what is left of it."""

from stages.evaluate.gaps import Gap
from stages.evaluate.scores import RecipeScores
from stages.train.targets.base import Metric

FEW_TEST_IMAGES = 50


def amount(value: float, metric: Metric) -> str:
    """A difference of scores: `0.031 mIoU`, `2.13°`."""
    number = f"{value:.{metric.digits}f}"
    return f"{number}{metric.unit}" if metric.unit else f"{number} {metric.short}"


def headline(best: RecipeScores, lead: Gap | None, to_next: Gap | None, baseline: str) -> str:
    """The verdict in one sentence. lead: over the baseline, else over the next best."""
    name, metric = best.recipe, best.metric
    if lead is None:
        return f"Only {name} was evaluated ({metric.short} {best.text()}): there is nothing to compare it with."
    if lead.margin is None:
        return f"{_one_seed(name, lead)}, but one seed cannot tell this from luck."
    if not lead.clear:
        return f"No clear winner: {_leads(name, lead)}, within {_margin(lead)}."
    if name == baseline:
        return f"The baseline wins: {_is_ahead(name, lead)}, the best of the other recipes."
    if to_next is not None and to_next.margin is not None and not to_next.clear:
        return f"{_beats(name, lead)}, beyond {_margin(lead)}; it is not clearly better than {to_next.rival}."
    return f"{name} wins: {_lead(lead)}, beyond {_margin(lead)}."


def _one_seed(name: str, lead: Gap) -> str:
    if lead.metric.higher_is_better:
        return f"{name} scores highest, {_above(lead)}"
    return f"{name} has the lowest {lead.metric.short}, {_below(lead)}"


def _leads(name: str, lead: Gap) -> str:
    if lead.metric.higher_is_better:
        return f"{name} leads {lead.rival} by {amount(lead.value, lead.metric)}"
    return _is_ahead(name, lead)


def _is_ahead(name: str, lead: Gap) -> str:
    if lead.metric.higher_is_better:
        return f"{name} is {_above(lead)}"
    return f"the {lead.metric.short} of {name} is {_below(lead)}"


def _beats(name: str, lead: Gap) -> str:
    value = amount(lead.value, lead.metric)
    if lead.metric.higher_is_better:
        return f"{name} beats {lead.rival} by {value}"
    return f"{name} beats {lead.rival}: its {lead.metric.short} is {value} lower{_ratio(lead)}"


def _lead(lead: Gap) -> str:
    return _above(lead) if lead.metric.higher_is_better else f"its {lead.metric.short} is {_below(lead)}"


def _above(lead: Gap) -> str:
    return f"{amount(lead.value, lead.metric)} above {lead.rival}"


def _below(lead: Gap) -> str:
    return f"{amount(lead.value, lead.metric)} below that of {lead.rival}{_ratio(lead)}"


def _ratio(lead: Gap) -> str:
    return "" if lead.ratio is None else f" ({lead.ratio:.2f} of it)"


def _margin(lead: Gap) -> str:
    return f"the 95 % margin of {lead.margin:.{lead.metric.digits}f}{lead.metric.unit} over seeds"


def scored(scores: RecipeScores) -> str:
    """What the winner reaches, over how many seeds, from how many samples."""
    seeds = f"{len(scores.seeds)} seeds" if len(scores.seeds) > 1 else "one seed"
    rows = "" if scores.samples is None else f", trained on {scores.samples:,} samples"
    return f"{scores.recipe} reaches a {scores.metric.title} of {scores.text()} over {seeds}{rows}."


def told(best: RecipeScores, lead: Gap, other: RecipeScores) -> str:
    """What another recipe reaches, and how that compares with the winner."""
    start = f"{other.recipe} reaches {other.text()}, {_worse(best, lead)}"
    if lead.margin is None:
        return f"{start}; with one seed the margin is unknown."
    if lead.clear:
        return f"{start}, beyond {_margin(lead)}."
    return f"{start}, within {_margin(lead)}, so this may be luck."


def bound(best: RecipeScores, upper: RecipeScores) -> str:
    """What the upper bound reaches, with how many labels."""
    rows = "" if upper.samples is None else f", trained on {upper.samples:,} labelled images"
    difference = amount(abs(upper.best().mean - best.best().mean), best.metric)
    side = "ahead of" if best.metric.better(upper.best().mean, best.best().mean) else "behind"
    return f"{upper.recipe}, the upper bound{rows}, reaches {upper.text()}: {difference} {side} {best.recipe}."


def _worse(best: RecipeScores, lead: Gap) -> str:
    value = f"{lead.value:.{lead.metric.digits}f}{lead.metric.unit}"
    if lead.metric.higher_is_better:
        return f"{value} less"
    return f"{value} more" + ("" if lead.ratio is None else f" ({best.recipe} has {lead.ratio:.2f} of it)")


def caution(test_images: int) -> list[str]:
    """A sentence about a small test set; none about a large one."""
    if test_images >= FEW_TEST_IMAGES:
        return []
    return [f"Only {test_images} test images: which ones they are adds chance that the margin over seeds leaves out."]
