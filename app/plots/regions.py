"""The figures of the Regions view's counts: regions against width and depth, exact and as a grid counts them."""

from collections.abc import Sequence
from math import log10
from typing import Literal, Protocol

import plotly.graph_objects as go

HEIGHT = 410
# Decades left free above and below the lines, the same in both figures.
ROOM = 0.15
# Okabe and Ito's colours, and a symbol each, so that lines are told apart without colour.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00")
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "x")
Over = Literal["width", "depth"]


class Row(Protocol):
    """One network and its counts, as app.compute.region_counts makes them."""

    @property
    def depth(self) -> int: ...
    @property
    def width(self) -> int: ...
    @property
    def k(self) -> int | None: ...
    @property
    def regions(self) -> int: ...
    @property
    def complete(self) -> bool: ...
    @property
    def sampled(self) -> int | None: ...


def counts(rows: Sequence[Row], gamma: float, over: Over = "width") -> tuple[go.Figure, go.Figure]:
    """Regions over width, a line per depth, or the other way round: a figure of k-WTA and one of ReLU, on one scale."""
    most = max(row.regions for row in rows)
    least = min(min(row.regions, row.sampled or row.regions) for row in rows)
    scale = [log10(least) - ROOM, log10(most) + ROOM]
    titles = (f"k-WTA, γ = {gamma:.3f}", "ReLU, the same weights")
    return _figure(rows, False, titles[0], over, scale), _figure(rows, True, titles[1], over, scale)


def _figure(rows: Sequence[Row], relu: bool, title: str, over: Over, scale: list[float]) -> go.Figure:
    figure = go.Figure()
    other = "depth" if over == "width" else "width"
    for place, value in enumerate(sorted({getattr(row, other) for row in rows})):
        line = [row for row in rows if getattr(row, other) == value and (row.k is None) == relu]
        line.sort(key=lambda row: getattr(row, over))
        _line(figure, line, over, f"{other} {value}", place)
    ticks = sorted({getattr(row, over) for row in rows})
    axis: dict = (
        {"type": "log", "tickvals": ticks, "ticktext": [str(t) for t in ticks]} if over == "width" else {"dtick": 1}
    )
    figure.update_xaxes(title="width of every layer" if over == "width" else "hidden layers", fixedrange=True, **axis)
    figure.update_yaxes(type="log", fixedrange=True, dtick=1, range=scale, title="regions")
    figure.update_layout(
        title={"text": title, "font": {"size": 17}, "y": 0.99, "yanchor": "top"},
        height=HEIGHT,
        margin={"l": 10, "r": 10, "t": 96, "b": 10},
        font={"size": 15},
        legend={"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 0},
    )
    return figure


def _line(figure: go.Figure, line: Sequence[Row], over: Over, name: str, place: int) -> None:
    colour, symbol = COLOURS[place % len(COLOURS)], SYMBOLS[place % len(SYMBOLS)]
    x = [getattr(row, over) for row in line]
    k = [f"k = {row.k} of {row.width}" if row.k is not None else "ReLU" for row in line]
    over_ = ["exact" if row.complete else "at least, limit reached" for row in line]
    common = {"x": x, "legendgroup": name, "customdata": list(zip(k, over_, strict=True)), "mode": "lines+markers"}
    figure.add_scatter(
        y=[row.regions for row in line],
        name=name,
        line={"color": colour, "width": 2.5},
        marker={"symbol": symbol, "size": 8},
        hovertemplate="%{y:,} regions, %{customdata[1]}<br>%{customdata[0]}<extra>" + name + "</extra>",
        **common,
    )
    figure.add_scatter(
        y=[row.sampled for row in line],
        showlegend=False,
        line={"color": colour, "width": 1.5, "dash": "dot"},
        marker={"symbol": f"{symbol}-open", "size": 7},
        hovertemplate="a grid meets %{y:,} of them (lower bound)<extra>" + name + "</extra>",
        **common,
    )


def in_words(rows: Sequence[Row], grid: int) -> str:
    """What these counts say, and no more: how often k-WTA has fewer regions, and what the grid missed most."""
    relu = {(row.depth, row.width): row for row in rows if row.k is None and row.complete}
    pairs = [(row, relu[row.depth, row.width]) for row in rows if row.k is not None and (row.depth, row.width) in relu]
    fewer = sum(mine.regions < other.regions for mine, other in pairs)
    said = []
    if pairs:
        said.append(f"Measured here: k-WTA has fewer regions than ReLU in {fewer} of {len(pairs)} pairs of networks.")
    missed = [(1 - row.sampled / row.regions, row) for row in rows if row.sampled is not None]
    if missed:
        share, worst = max(missed, key=lambda one: one[0])
        kind = "ReLU" if worst.k is None else f"k-WTA, k = {worst.k}"
        said.append(
            f"A grid of {grid}² points (dotted) can only miss regions: at most here {share:.0%} of {worst.regions:,} "
            f"({kind}, {worst.depth} × {worst.width})."
        )
    if any(not row.complete for row in rows):
        said.append("Where the limit was reached, the count is a lower bound too.")
    return " ".join(said)
