"""The figure of the Operator view: time per entry against the length of the row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import plotly.graph_objects as go

if TYPE_CHECKING:  # for the annotations alone: plots load no torch
    from kwta.timing import Timing

# Bright enough on dark ground, dark enough on white.
BLUE, ORANGE = "#2E8FD0", "#E07B00"
NANO = 1e9


def time_per_entry(timing: Timing) -> go.Figure:
    """Median nanoseconds per entry over N, bars from the first to the third quartile; flat lines mean O(N)."""
    figure = go.Figure()
    for name, quartiles, colour, symbol in (
        ("x · (x ≥ topk(x, k)[…, −1:])", timing.formula, BLUE, "square"),
        ("kwta(x, k)", timing.kwta, ORANGE, "circle"),
    ):
        low, median, high = (NANO * quartiles).T
        figure.add_scatter(
            x=timing.n,
            y=median,
            name=name,
            mode="lines+markers",
            line={"color": colour, "width": 3},
            marker={"size": 10, "symbol": symbol},
            error_y={"array": high - median, "arrayminus": median - low, "color": colour, "thickness": 1.5},
            hovertemplate="N = %{x:,}: %{y:.2f} ns per entry<extra>" + name + "</extra>",
        )
    figure.update_xaxes(
        title="N, entries of a row",
        type="log",
        tickvals=timing.n,
        ticktext=[f"{n:,}" for n in timing.n],
        fixedrange=True,
    )
    figure.update_yaxes(title="ns per entry", rangemode="tozero", fixedrange=True)
    figure.update_layout(
        height=360,
        margin={"l": 10, "r": 10, "t": 10, "b": 10},
        font={"size": 16},
        legend={"orientation": "h", "y": 1.12, "x": 0},
        hovermode="closest",
    )
    return figure


def in_words(timing: Timing) -> str:
    """What the figure shows, with its numbers and their uncertainty."""
    first, last = NANO * timing.kwta[0], NANO * timing.kwta[-1]
    faster = timing.formula[:, 1] / timing.kwta[:, 1]
    how = (
        f"medians of {timing.repeats.min()} calls on {timing.comparison.entries:,} float32 entries at "
        f"γ = {timing.comparison.gamma:g}, forward only; bars show the quartiles"
    )
    return (
        f"Measured on {timing.where}: rows of {timing.n[0]:,} entries take {first[1]:.2g} ns per entry, rows of "
        f"{timing.n[-1]:,} take {last[1]:.2g} ns ({how}). A flat line means O(N): selecting needs no sorting. "
        f"The usual formula takes {faster.min():.1f} to {faster.max():.1f} times as long."
    )
