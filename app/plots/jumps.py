"""The figure of the Jumps view in space: one logit over the plane, with a wall wherever it jumps."""

from typing import Protocol

import numpy as np
import plotly.graph_objects as go
from plotly.colors import sample_colorscale

HEIGHT = 620
SURFACE = "#9DB4C6"
# On a light page high walls are dark, as the picture's borders are, and the lowest not so bright that they vanish.
SHADES, BRIGHTEST = 16, 0.93


class Cliffs(Protocol):
    """A surface and its walls, as app.compute.jump_cliffs makes them."""

    @property
    def corners(self) -> np.ndarray: ...
    @property
    def surface(self) -> np.ndarray: ...
    @property
    def walls(self) -> np.ndarray: ...
    @property
    def wall_corners(self) -> np.ndarray: ...
    @property
    def heights(self) -> np.ndarray: ...
    @property
    def gamma(self) -> float | None: ...
    @property
    def n_regions(self) -> int: ...
    @property
    def n_borders(self) -> int: ...
    @property
    def shown(self) -> float: ...
    @property
    def deviation(self) -> float: ...
    @property
    def axes(self) -> tuple[str, str]: ...
    @property
    def logit(self) -> str: ...


def cliffs(found: Cliffs, is_dark: bool = False) -> go.Figure:
    """f over every region as an exact polygon, and walls at the borders, coloured by |jump| as in the picture."""
    figure = go.Figure()
    x, y, z = found.corners.T
    i, j, k = found.surface.T
    light = {"ambient": 0.65, "diffuse": 0.6, "specular": 0.05, "roughness": 0.9}
    mesh = {"flatshading": True, "lighting": light, "hoverinfo": "skip"}
    figure.add_mesh3d(x=x, y=y, z=z, i=i, j=j, k=k, color=SURFACE, name="f", **mesh)
    if len(found.walls):
        x, y, z = found.wall_corners.T
        i, j, k = found.walls.T
        bar = {"title": {"text": "|jump|"}, "thickness": 14, "len": 0.7}
        shown = {"intensity": found.heights, "colorscale": scale(is_dark), "cmin": 0, "colorbar": bar}
        figure.add_mesh3d(x=x, y=y, z=z, i=i, j=j, k=k, **shown, **mesh)
    titles = zip("xyz", (*found.axes, f"logit {found.logit}"), strict=True)
    scene: dict = {f"{name}axis": {"title": {"text": title}} for name, title in titles}
    scene |= {"aspectmode": "manual", "aspectratio": {"x": 1, "y": 1, "z": 0.6}}
    figure.update_layout(
        height=HEIGHT,
        margin={"l": 0, "r": 0, "t": 0, "b": 0},
        font={"size": 14},
        scene=scene | {"camera": {"eye": {"x": 1.1, "y": -1.3, "z": 0.9}}},
        uirevision="cliffs",
    )
    return figure


def scale(is_dark: bool) -> list[list]:
    """Viridis from small to large jumps, [[share, colour] …]: towards what stands out on the page, as in jumps.js."""
    shares = np.linspace(0, 1, SHADES)
    colours = sample_colorscale("Viridis", list(shares if is_dark else BRIGHTEST * (1 - shares)))
    return [[float(share), colour] for share, colour in zip(shares, colours, strict=True)]


def in_words(found: Cliffs) -> str:
    """What the figure shows, with its numbers."""
    name = "ReLU" if found.gamma is None else f"γ = {found.gamma:.3g}"
    where = f"Logit {found.logit} over the plane, {name}: {found.n_regions:,} regions, exact"
    if not len(found.walls):
        return f"{where}. No walls: the surface bends at its {found.n_borders:,} borders, and is continuous."
    highest = float(found.heights.max())
    part = "" if found.shown == 1 else f" The highest {100 * found.shown:.0f} % of the walls are drawn."
    return (
        f"{where}. A wall stands at every border where it jumps; the highest is {highest:.3g}, "
        f"{highest / found.deviation:.2g} standard deviations of this logit on the plane.{part}"
    )
