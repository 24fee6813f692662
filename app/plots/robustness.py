"""The figure of the Robustness view: accuracy against ε, one line for each network with its interval."""

from typing import Protocol

import plotly.graph_objects as go

HEIGHT = 380
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#999999")
MARKERS = ("circle", "square", "diamond", "triangle-up", "cross", "x", "star")
# Lines and bands through fewer measured ε would tell a course that nobody knows.
ENOUGH = 3
# Marks without lines stand side by side, this share of ε apart.
APART = 0.04
Points = tuple[tuple[float, float, float, float], ...]


class Curve(Protocol):
    """(ε, share, low, high) in percent, as app.compute.robust makes them."""

    @property
    def name(self) -> str: ...
    @property
    def hardened(self) -> bool: ...
    @property
    def pgd(self) -> Points: ...
    @property
    def worst(self) -> Points: ...


def curves(found: tuple[Curve, ...], which: str, eps: float) -> go.Figure:
    """The percentage right over ε under PGD ("pgd") or in the worst case ("worst"), with Wilson bands."""
    figure = go.Figure()
    plain = [curve.name for curve in found if not curve.hardened]
    is_course = any(len(curve.pgd) >= ENOUGH for curve in found)
    for number, curve in enumerate(found):
        place = plain.index(curve.name.removesuffix(", adversarial")) % len(COLOURS)
        aside = 0 if is_course else APART * eps * (number - (len(found) - 1) / 2)
        _line(figure, curve, getattr(curve, which), COLOURS[place], MARKERS[place], aside)
    figure.add_vline(eps, line={"color": "#888", "dash": "dot", "width": 1.5})  # type: ignore[arg-type]
    figure.update_xaxes(title="ε", rangemode="tozero", fixedrange=True)
    if not is_course:
        wide = 0.1 + APART * len(found) / 2
        figure.update_xaxes(range=[-wide * eps, (1 + wide) * eps], tickvals=[0, eps])
    figure.update_yaxes(title="right, % of the images", range=[-2, 103], fixedrange=True)
    figure.update_layout(
        title={"text": "Under PGD" if which == "pgd" else "Worst case over all attacks", "font": {"size": 17}},
        height=HEIGHT,
        margin={"l": 10, "r": 10, "t": 40, "b": 10},
        font={"size": 15},
        legend={"orientation": "h", "y": -0.22, "yanchor": "top", "x": 0},
        hovermode="closest",
    )
    return figure


def _line(figure: go.Figure, curve: Curve, points: Points, colour: str, marker: str, aside: float) -> None:
    """Marks, joined and with a band from ENOUGH ε on; before that each with its interval as a bar, a little aside."""
    eps, share, low, high = (list(column) for column in zip(*points, strict=True))
    is_course = len(points) >= ENOUGH
    if is_course:
        _band(figure, curve, eps + eps[::-1], high + low[::-1], colour)
    up, down = ([abs(end - at) for end, at in zip(ends, share, strict=True)] for ends in (high, low))
    figure.add_scatter(
        x=[one + aside for one in eps],
        y=share,
        customdata=list(zip(low, high, eps, strict=True)),
        mode="lines+markers" if is_course else "markers",
        error_y=None if is_course else {"array": up, "arrayminus": down, "thickness": 1.5, "width": 5},
        name=curve.name,
        legendgroup=curve.name,
        line={"color": colour, "dash": "dash" if curve.hardened else "solid", "width": 2.5},
        marker={"symbol": marker + ("-open" if curve.hardened else ""), "size": 9, "color": colour},
        hovertemplate="%{y:.1f} % [%{customdata[0]:.1f}, %{customdata[1]:.1f}] at ε = %{customdata[2]:.3g}<extra>"
        + curve.name
        + "</extra>",
    )


def _band(figure: go.Figure, curve: Curve, x: list[float], y: list[float], colour: str) -> None:
    rgb = ",".join(str(int(colour[i : i + 2], 16)) for i in (1, 3, 5))
    figure.add_scatter(
        x=x,
        y=y,
        mode="lines",
        fill="toself",
        fillcolor=f"rgba({rgb},0.13)",
        line={"width": 0},
        hoverinfo="skip",
        legendgroup=curve.name,
        showlegend=False,
    )


def in_words(found: tuple[Curve, ...], which: str) -> str:
    """The figure's numbers."""
    name = "under PGD" if which == "pgd" else "in the worst case"
    lines = (
        f"{curve.name}: " + ", ".join(f"{share:.1f} % at ε = {eps:.3g}" for eps, share, _, _ in getattr(curve, which))
        for curve in found
    )
    return f"Right {name}. " + "; ".join(lines)


def note(found: tuple[Curve, ...], n: int) -> str:
    """What marks, lines and bands are; n: images."""
    is_course = any(len(curve.pgd) >= ENOUGH for curve in found)
    drawn = (
        "Bands" if is_course else "Measured at two ε only, so no lines are drawn, and marks stand side by side. Bars"
    )
    return f"{drawn}: Wilson 95 %, {n} images. Left and right differ where gradients mislead."
