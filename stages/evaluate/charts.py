"""Charts as SVG text: no library to load, sharp at any size, coloured by the page's style (classes s0, s1, ...).

Every drawing is WIDTH units wide, so that its text stays readable when the page shrinks it to a phone's width.
"""

import math
from collections.abc import Iterable, Mapping, Sequence

from markupsafe import Markup, escape

from stages.evaluate.scores import Spread

WIDTH = 460
ROW = 34
LABEL_CHARACTER = 6.6
SERIES = 16  # colours of the report, at least one for each recipe that there is


def bars(rows: Sequence[tuple[str, Spread]], title: str, top: float = 1.0, digits: int = 3, unit: str = "") -> Markup:
    """One horizontal bar a row from 0 to `top`, its deviation as a whisker, each seed as a dot, its value beside it."""
    left, right = _label_width([name for name, _ in rows]), WIDTH - 104
    parts = [_grid(left, right, 0, top, _ticks(0, top, 5), 6 + ROW * len(rows))]
    for i, (name, spread) in enumerate(rows):
        middle = 6 + ROW * i + ROW / 2
        end = _scale(spread.mean, 0, top, left, right)
        parts.append(_text(left - 8, middle + 4, name, "end"))
        parts.append(
            Markup('<rect class="s{} bar" x="{}" y="{}" width="{}" height="18" rx="3"/>').format(
                i % SERIES, left, _n(middle - 9), _n(max(end - left, 0))
            )
        )
        parts.append(_whisker(spread, 0, top, left, right, middle))
        parts += [_dot(_scale(v, 0, top, left, right), middle, "seed", 2.2) for v in spread.seeds if v is not None]
        parts.append(_text(WIDTH - 96, middle + 4, spread.text(digits, unit), "start", "value"))
    return _svg(parts, 6 + ROW * len(rows) + 20, title)


def class_dots(rows: Mapping[str, Sequence[Spread | None]], title: str, ceiling: float = 1.0) -> Markup:
    """One line a class; one dot a recipe with its deviation, in the order of the recipes. No value above `ceiling`."""
    present = [s for spreads in rows.values() for s in spreads if s]
    low, high = _range([s.mean + sign * (s.std or 0) for s in present for sign in (-1, 1)], 0, ceiling)
    most = max((len(spreads) for spreads in rows.values()), default=1)
    height = max(24, 11 * most + 8)
    left, right = _label_width(list(rows)), WIDTH - 14
    parts = [
        Markup('<rect class="stripe" x="0" y="{}" width="{}" height="{}"/>').format(6 + height * i, WIDTH, height)
        for i in range(1, len(rows), 2)
    ]
    parts.append(_grid(left, right, low, high, _ticks(low, high, 5), 6 + height * len(rows)))
    for i, (name, spreads) in enumerate(rows.items()):
        top = 6 + height * i
        parts.append(_text(left - 8, top + height / 2 + 4, name, "end"))
        for j, spread in enumerate(spreads):
            if spread is not None:
                y = top + height / 2 + (j - (len(spreads) - 1) / 2) * 11
                parts.append(_whisker(spread, low, high, left, right, y, f"s{j % SERIES}"))
                parts.append(_dot(_scale(spread.mean, low, high, left, right), y, f"s{j % SERIES} point", 4.2))
    return _svg(parts, 6 + height * len(rows) + 20, title)


def lines(series: Mapping[str, Sequence[tuple[float, float]]], title: str, across: str, zero: bool = False) -> Markup:
    """Curves of (x, y) points; `across` names the x axis. Values that are not finite are left out."""
    curves = {name: [p for p in points if math.isfinite(p[1])] for name, points in series.items()}
    everything = [point for points in curves.values() for point in points]
    if not everything:
        return Markup("")
    x0, x1 = min(x for x, _ in everything), max(x for x, _ in everything)
    low, high = _range([y for _, y in everything] + ([0.0] if zero else []))
    left, right, top, bottom = 52, WIDTH - 14, 10, 190
    parts = [_level_lines(_ticks(low, high, 4), low, high, left, right, top, bottom)]
    parts += [
        _text(_scale(tick, x0, x1, left, right), bottom + 16, _number(tick), "middle", "tick")
        for tick in _ticks(x0, x1, 4)
    ]
    for i, points in enumerate(curves.values()):
        path = " ".join(
            f"{_n(_scale(x, x0, x1, left, right))},{_n(_scale(y, low, high, bottom, top))}" for x, y in _thin(points)
        )
        parts.append(Markup('<polyline class="s{} curve" points="{}"/>').format(i % SERIES, path))
    parts.append(_text((left + right) / 2, bottom + 33, across, "middle", "tick"))
    return _svg(parts, bottom + 40, title)


def legend(names: Iterable[str]) -> Markup:
    """The names with the colours of their series, as HTML."""
    items = [Markup('<span><i class="s{} key"></i>{}</span>').format(i % SERIES, n) for i, n in enumerate(names)]
    return Markup('<p class="legend">{}</p>').format(Markup("").join(items))


def _svg(parts: Iterable[Markup], height: float, title: str) -> Markup:
    frame = '<svg role="img" viewBox="0 0 {} {}" aria-label="{}"><title>{}</title>{}</svg>'
    return Markup(frame).format(WIDTH, _n(height), title, title, Markup("").join(parts))


def _grid(left: float, right: float, low: float, high: float, ticks: Sequence[float], bottom: float) -> Markup:
    parts = []
    for tick in ticks:
        x = _scale(tick, low, high, left, right)
        parts.append(Markup('<line class="rule" x1="{0}" x2="{0}" y1="4" y2="{1}"/>').format(_n(x), _n(bottom)))
        parts.append(_text(x, bottom + 15, _number(tick), "middle", "tick"))
    return Markup("").join(parts)


def _level_lines(
    ticks: Sequence[float], low: float, high: float, left: float, right: float, top: float, bottom: float
) -> Markup:
    parts = []
    for tick in ticks:
        y = _scale(tick, low, high, bottom, top)
        parts.append(Markup('<line class="rule" x1="{0}" x2="{1}" y1="{2}" y2="{2}"/>').format(left, right, _n(y)))
        parts.append(_text(left - 6, y + 4, _number(tick), "end", "tick"))
    return Markup("").join(parts)


def _whisker(
    spread: Spread, low: float, high: float, left: float, right: float, y: float, style: str = "ink"
) -> Markup:
    if spread.std is None:
        return Markup("")
    ends = (min(max(spread.mean + sign * spread.std, low), high) for sign in (-1, 1))
    a, b = (_n(_scale(end, low, high, left, right)) for end in ends)
    path = f"M{a} {_n(y)}H{b}M{a} {_n(y - 4)}v8M{b} {_n(y - 4)}v8"
    return Markup('<path class="{} whisker" d="{}"/>').format(style, path)


def _dot(x: float, y: float, style: str, radius: float) -> Markup:
    return Markup('<circle class="{}" cx="{}" cy="{}" r="{}"/>').format(style, _n(x), _n(y), radius)


def _text(x: float, y: float, text: str, anchor: str, style: str = "label") -> Markup:
    frame = '<text class="{}" x="{}" y="{}" text-anchor="{}">{}</text>'
    return Markup(frame).format(style, _n(x), _n(y), anchor, escape(text))


def _label_width(names: Sequence[str]) -> float:
    return min(max((len(name) for name in names), default=4) * LABEL_CHARACTER + 16, WIDTH * 0.4)


def _scale(value: float, low: float, high: float, first: float, last: float) -> float:
    return first + (value - low) / ((high - low) or 1.0) * (last - first)


def _range(values: Sequence[float], floor: float = -math.inf, ceiling: float = math.inf) -> tuple[float, float]:
    """A range with some air around the values, within floor and ceiling."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    air = (high - low) * 0.08 or abs(high) * 0.1 or 1.0
    return max(low - air, floor), min(high + air, ceiling)


def round_above(value: float) -> float:
    """The end of an axis from 0 that `value` does not pass: a few steps of 1, 2 or 5 by a power of ten; 1 for 0."""
    if value <= 0:
        return 1.0
    step = _step(value, 10)
    return round(math.ceil(value / step - 1e-9) * step, 12)


def _step(span: float, count: int) -> float:
    raw = span / count or 1.0
    power = 10.0 ** math.floor(math.log10(raw))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw * 0.999)


def _ticks(low: float, high: float, count: int) -> list[float]:
    """About `count` round numbers between low and high: steps of 1, 2 or 5 times a power of ten."""
    step = _step(high - low, count)
    first = math.ceil(low / step - 1e-9)
    return [round(i * step, 12) for i in range(first, math.floor(high / step + 1e-9) + 1)]


def _thin(points: Sequence[tuple[float, float]], most: int = 400) -> Sequence[tuple[float, float]]:
    return points[:: max(len(points) // most, 1)]


def _number(value: float) -> str:
    if abs(value) >= 1000:
        return f"{value / 1000:g}k" if abs(value) < 1e6 else f"{value / 1e6:g}M"
    return f"{value:.6g}"


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
