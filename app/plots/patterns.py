"""The figure of the Patterns view: histograms of distances between patterns, one panel per hidden layer."""

from typing import Protocol

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

BINS = 32
PANEL, MARGIN = 270, 70
# Name, field, colour and dash: told apart without colour by the line.
KINDS = (
    ("under x + δ", "perturbed", "#D55E00", "dot"),
    ("within a class", "within", "#009E73", "solid"),
    ("between classes", "between", "#0072B2", "dash"),
)


class Query(Protocol):
    """What the distances were asked for."""

    @property
    def measure(self) -> str: ...
    @property
    def radius(self) -> float: ...
    @property
    def norm(self) -> str: ...


class Histograms(Protocol):
    """Distances per hidden layer, one number for each pair of inputs, as app.compute.pattern_distances makes them."""

    @property
    def query(self) -> Query: ...
    @property
    def widths(self) -> tuple[int, ...]: ...
    @property
    def n_inputs(self) -> int: ...
    @property
    def n_perturbed(self) -> int: ...
    @property
    def n_deltas(self) -> int: ...
    @property
    def within(self) -> tuple[np.ndarray, ...]: ...
    @property
    def between(self) -> tuple[np.ndarray, ...]: ...
    @property
    def perturbed(self) -> tuple[np.ndarray, ...]: ...


def shown(found: Histograms, layer: int) -> list[int]:
    """Which layers are drawn, counted from 0: the chosen one, counted from 1, or all for 0."""
    return [layer - 1] if layer else list(range(len(found.widths)))


def edges(found: Histograms, layer: int) -> np.ndarray:
    """Bin edges of a layer: at most BINS bins over all its distances, of whole width for Hamming distances.

    Between two sets of k winners Hamming distances are even, so the width is even too, else every other bin is empty;
    the edges are odd, so that even distances lie in the middle.
    """
    if found.query.measure == "jaccard":
        return np.linspace(0, 1, BINS + 1)
    most = max(getattr(found, field)[layer].max() for _, field, _, _ in KINDS)
    width = 2 * int(np.ceil((most + 2) / (2 * BINS)))
    return np.arange(-1, most + width + 1, width)


def distances(found: Histograms, layer: int = 0) -> go.Figure:
    """Shares of pairs over their distance: within a class, between classes and under δ, medians as vertical lines."""
    layers = shown(found, layer)
    columns = min(len(layers), 2)
    rows = -(-len(layers) // columns)
    titles = [f"Layer {i + 1}, {found.widths[i]} units" for i in layers]
    figure = make_subplots(rows, columns, subplot_titles=titles, vertical_spacing=0.42 / rows, horizontal_spacing=0.1)
    for place, i in enumerate(layers):
        _panel(figure, found, i, place // columns + 1, place % columns + 1, is_first=place == 0)
    figure.update_xaxes(title=_axis(found), fixedrange=True)
    figure.update_yaxes(title="% of pairs", rangemode="tozero", fixedrange=True)
    figure.update_layout(
        height=PANEL * rows + MARGIN,
        margin={"l": 10, "r": 10, "t": 70, "b": 10},
        font={"size": 15},
        legend={"orientation": "h", "y": 1 + 52 / (PANEL * rows), "yanchor": "bottom", "x": 0},
        hovermode="closest",
    )
    return figure


def _panel(figure: go.Figure, found: Histograms, layer: int, row: int, column: int, is_first: bool) -> None:
    bins = edges(found, layer)
    outer = np.concatenate([[2 * bins[0] - bins[1]], bins, [2 * bins[-1] - bins[-2]]])  # the line ends at zero
    centres = (outer[1:] + outer[:-1]) / 2
    for name, field, colour, dash in KINDS:
        values = getattr(found, field)[layer]
        shares = 100 * np.pad(np.histogram(values, bins)[0], 1) / len(values)
        line = {"color": colour, "dash": dash, "width": 2.5, "shape": "hvh"}
        figure.add_scatter(
            x=centres,
            y=shares,
            name=name,
            legendgroup=name,
            showlegend=is_first,
            mode="lines",
            line=line,
            fill="tozeroy",
            fillcolor=f"rgba({','.join(str(int(colour[i : i + 2], 16)) for i in (1, 3, 5))},0.15)",
            hovertemplate="%{y:.1f} % of pairs near %{x:.3g}<extra>" + name + "</extra>",
            row=row,
            col=column,
        )
        median = float(np.median(values))
        figure.update_xaxes(range=[bins[0], bins[-1]], row=row, col=column)
        figure.add_vline(median, line={"color": colour, "dash": dash, "width": 1.5}, row=row, col=column)  # type: ignore[arg-type]


def _axis(found: Histograms) -> str:
    return "Hamming distance |A △ A′|, units" if found.query.measure == "hamming" else "Jaccard distance 1 − J"


def in_words(found: Histograms, layer: int = 0) -> str:
    """The medians of all drawn layers and what was measured."""
    ball = "‖δ‖∞" if found.query.norm == "linf" else "‖δ‖₂"
    unit = ", in units" if found.query.measure == "hamming" else ""
    medians = "; ".join(
        f"layer {i + 1}: {np.median(found.within[i]):.3g} within a class, {np.median(found.between[i]):.3g} between "
        f"classes, {np.median(found.perturbed[i]):.3g} under δ"
        for i in shown(found, layer)
    )
    return (
        f"Medians{unit} (vertical lines): {medians}. Sampled: {len(found.within[0]):,} pairs within and "
        f"{len(found.between[0]):,} between classes among {found.n_inputs} test inputs; {len(found.perturbed[0]):,} "
        f"pairs x, x + δ from {found.n_perturbed} of them, {found.n_deltas} random δ each, uniform in "
        f"{ball} ≤ {found.query.radius:g} and clipped to the data box."
    )
