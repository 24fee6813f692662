"""The figures of the Claims view: PGD step by step, for one rule of the step's size, the other rule faint."""

from typing import Protocol

import numpy as np
import plotly.graph_objects as go

HEIGHT = 380
# k-WTA and ReLU, on light and on dark ground: told apart by the dash as well.
STYLES = (("#D55E00", "solid"), ("#0072B2", "dash"))
DARK = (("#FF8A50", "solid"), ("#56B4E9", "dash"))
FAINT = {False: 0.3, True: 0.45}
# The vertical axis, in percent and in pixels of a figure of HEIGHT: the frame is no smaller on a phone.
TOP, TALL = 104, 240
# The labels at the ends of two lines are so many pixels high, and stay between the ends of the axis.
LABEL = 22


class Course(Protocol):
    """An attack on one network, as app.compute.claims makes it."""

    @property
    def share(self) -> np.ndarray: ...
    @property
    def moved(self) -> np.ndarray: ...
    @property
    def name(self) -> str: ...


def right(shown: tuple[Course, ...], others: tuple[Course, ...], is_dark: bool = False) -> go.Figure:
    """The percentage that is right after each step: k-WTA and ReLU by the chosen rule, faintly by the other."""
    figure = _figure(shown, others, "Still right, % of the test inputs", lambda course: course.share, is_dark)
    ends = [float(course.share[-1]) for course in shown]
    shifts = _shifts(ends)
    for end, shift, (colour, _) in zip(ends, shifts, DARK if is_dark else STYLES, strict=True):
        figure.add_annotation(
            x=len(shown[0].share) - 1,
            y=end,
            text=f"{end:.1f} %",
            showarrow=False,
            xanchor="left",
            xshift=6,
            yshift=shift,
            font={"color": colour, "size": 17},
        )
    return figure


def moved(shown: tuple[Course, ...], others: tuple[Course, ...], is_dark: bool = False) -> go.Figure:
    """How far the inputs have moved after each step, in % of ε."""
    return _figure(shown, others, "Moved, % of ε (mean ‖δ‖∞)", lambda course: 100 * course.moved, is_dark)


def _figure(shown: tuple[Course, ...], others: tuple[Course, ...], title: str, values, is_dark: bool) -> go.Figure:
    figure = go.Figure()
    for courses, opacity, width in ((others, FAINT[is_dark], 2), (shown, 1.0, 3.5)):
        for course, (colour, dash) in zip(courses, DARK if is_dark else STYLES, strict=True):
            y = values(course)
            figure.add_scatter(
                x=np.arange(len(y)),
                y=y,
                mode="lines",
                name=course.name,
                showlegend=courses is shown,
                opacity=opacity,
                line={"color": colour, "dash": dash, "width": width},
                hovertemplate="%{y:.1f} %",
                hoverinfo="all" if courses is shown else "skip",
            )
    steps = len(shown[0].share) - 1
    ticks = np.arange(0, steps + 1, 10)
    figure.update_xaxes(title="step of PGD", range=[0, 1.2 * steps], tickvals=ticks, fixedrange=True)
    figure.update_yaxes(range=[0, TOP], fixedrange=True)
    figure.update_layout(
        title={"text": title, "font": {"size": 17}, "y": 0.99, "yanchor": "top"},
        height=HEIGHT,
        margin={"l": 10, "r": 10, "t": 66, "b": 10},
        font={"size": 16},
        legend={"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 0},
        hovermode="x unified",
    )
    return figure


def _shifts(ends: list[float]) -> list[float]:
    """How many pixels up to move the labels of two ends, so that they neither touch nor leave the axis.

    >>> _shifts([0.0, 0.0]), _shifts([50.0, 40.0])
    ([33.0, 11.0], [0.0, 0.0])
    """
    places = [TALL * end / TOP for end in ends]
    first, second = (min(max(place, LABEL / 2), TALL - LABEL / 2) for place in places)
    push = max(LABEL - abs(first - second), 0) / 2 * (1 if ends[0] >= ends[1] else -1)
    low, high = sorted((first + push, second - push))
    inside = max(LABEL / 2 - low, 0) - max(high - (TALL - LABEL / 2), 0)
    return [first + push + inside - places[0], second - push + inside - places[1]]
