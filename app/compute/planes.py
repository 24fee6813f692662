"""Which plane of the input space is looked at, and which part of it, in the few words that fit into a link."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from math import isfinite, sqrt
from typing import Literal

import numpy as np

from app.compute import Unusable, data, inputs
from app.compute.trained import Which
from kwta import slices
from kwta.datasets import Data
from kwta.slices import Slice, convex

# Planes that a network points out: app.compute.aims finds them.
AIMED = {"gradient": "Along the loss gradient", "attack": "Through the end of an attack"}
KINDS = {"box": "Data box", "images": "Through three inputs", "random": "Random plane", **AIMED}
CLIPS = {"free": "square", "box": "data box"}
# Half the side of a random plane's square, as a share of the data box's diagonal: beyond it inputs look like none.
REACH = 0.25
# The window may show the whole plane and a little around it, or a billionth: float64 still tells cells apart there.
WIDEST, NARROWEST = 1.0, 1e-9
DIGITS = 10
# Planes kept: one answer asks for its plane several times.
KEPT = 64


@dataclass(frozen=True)
class Window:
    """A square part of the plane in shares of its home square: centre in −1..1 and half side (1 is all of it)."""

    x: float = 0.0
    y: float = 0.0
    half: float = 1.0

    def __str__(self) -> str:
        return ",".join(f"{value:.{DIGITS}g}" for value in (self.x, self.y, self.half))


@dataclass(frozen=True)
class Mark:
    """An input that a plane passes through: x flat, its class or the one that a network gives it, and what to call it.

    index: the test input's number.
    """

    x: np.ndarray
    label: int
    index: int
    text: str


@dataclass(frozen=True)
class Aim:
    """The plane that a network, as far as it is trained, points out; the first two fields name it."""

    which: Which
    frames: int
    home: Slice = field(compare=False, repr=False)
    marks: tuple[Mark, ...] = field(compare=False, repr=False)
    kind: Literal["aim"] = "aim"


@dataclass(frozen=True)
class Choice:
    """A plane: `three` test inputs it passes through (or the one it is drawn around), or the seed of its directions.

    aim: what a network pointed out, on a plane of such a shape (app.compute.aims.aimed).
    """

    data: str
    shape: str
    three: tuple[int, int, int] = (0, 1, 2)
    seed: int = 0
    clip: str = "free"
    window: Window = Window()
    aim: Aim | None = None
    kind: Literal["plane"] = "plane"


def choice(name: str, values: dict) -> Choice:
    """The choice that readable values of plane, three, pseed, clip and window stand for, on data of this name."""
    a, b, c = (int(word) for word in values["three"].split(","))
    return Choice(name, values["plane"], (a, b, c), values["pseed"], values["clip"], window(values["window"]))


def read_window(text: str) -> str:
    """A window as "x,y,half", moved into the home square; "" is all of it. ValueError otherwise."""
    return str(_window(text)) if text.strip() else ""


def window(text: str) -> Window:
    """The window that a readable text stands for."""
    return _window(text) if text.strip() else Window()


def _window(text: str) -> Window:
    try:
        x, y, half = (float(word) for word in text.split(","))
    except ValueError:
        x = y = half = float("nan")
    if not (isfinite(x) and isfinite(y) and half >= NARROWEST):
        raise ValueError(
            f"the part of the plane must be a centre and half a side, as 0.5,-0.2,0.1 (all of it is 0,0,1), "
            f"got {text[:40]!r}"
        )
    half = min(half, WIDEST)
    room = 1 - half
    inside = (min(max(value, -room), room) + 0.0 for value in (x, y))
    return Window(*(float(f"{value:.{DIGITS}g}") for value in (*inside, half)))


def shapes(known: Data) -> tuple[str, ...]:
    """Which kinds of planes these data have, the usual one first."""
    return ("box",) if inputs.is_planar(known) else ("images", "random", *AIMED)


def read_three(known: Data) -> Callable[[str], str]:
    """A reader of three different numbers of test inputs, as "0,1,2"."""

    def read(text: str) -> str:
        words = [word.strip() for word in text.split(",")]
        fits = len(words) == 3 and all(word.isascii() and word.isdecimal() and len(word) < 10 for word in words)
        if not fits or max(map(int, words)) >= len(known.x_test) or len({*map(int, words)}) < 3:
            raise ValueError(
                f"the plane passes through three different test inputs, 0 to {len(known.x_test) - 1}, as 0,1,2; "
                f"got {text[:40]!r}"
            )
        return ",".join(str(int(word)) for word in words)

    return read


def usual_three(known: Data) -> str:
    """The first test inputs of the first three classes; of any class where there are fewer."""
    firsts = [int(np.flatnonzero(known.labels_test == c)[0]) for c in np.unique(known.labels_test)[:3]]
    rest = (i for i in range(len(known.x_test)) if i not in firsts)
    return ",".join(str(i) for i in [*firsts, *(next(rest, 0) for _ in range(3 - len(firsts)))])


def home(choice: Choice) -> Slice:
    """The plane's whole square, s(t) = o + t D; Unusable where the choice spans none."""
    try:
        return _home(replace(choice, window=Window(), clip="free"))
    except (ValueError, IndexError) as error:
        raise Unusable(f"this plane cannot be had: {error}. Choose another one.") from error


@lru_cache(KEPT)
def _home(choice: Choice) -> Slice:
    known = data.data(choice.data)
    low, high = known.box
    if choice.shape == "box":
        return slices.square(low, high, low, high)
    chosen = known.x_test[list(choice.three)].astype(np.float64)
    if choice.shape == "images":
        return slices.through(*chosen)
    if choice.shape in AIMED:
        if choice.aim is None:
            raise ValueError("no network points it out")
        return choice.aim.home
    return slices.random_plane(chosen[0], choice.seed, reach(choice))


def marks(choice: Choice) -> tuple[Mark, ...]:
    """The inputs that the plane passes through."""
    if choice.aim is not None:
        return choice.aim.marks
    return tests(data.data(choice.data), choice.three if choice.shape == "images" else choice.three[:1])


def tests(known: Data, indices: tuple[int, ...]) -> tuple[Mark, ...]:
    """The test inputs with these numbers."""
    labels = [int(known.labels_test[i]) for i in indices]
    return tuple(
        Mark(known.x_test[i].astype(np.float64).ravel(), label, i, f"{known.classes[label]} · №{i}")
        for i, label in zip(indices, labels, strict=True)
    )


def reach(choice: Choice) -> float:
    """Half the side of a random plane's square."""
    known = data.data(choice.data)
    return REACH * (known.box[1] - known.box[0]) * sqrt(known.x_test[0].size)


def frame(whole: Slice, window: Window) -> tuple[np.ndarray, float]:
    """Centre [2] and half side, in t, of a window in the home square."""
    low, high = whole.bounds
    half = float((high - low).max()) / 2
    return (low + high) / 2 + half * np.array([window.x, window.y]), half * window.half


def shown(choice: Choice) -> Slice:
    """The part of the plane in the window, cut to the data box if so chosen; Unusable where nothing is left."""
    whole = home(choice)
    centre, half = frame(whole, choice.window)
    try:
        part = whole if choice.window == Window() else replace(whole, domain=_square(whole.domain, centre, half))
        return slices.clipped(part, *data.data(choice.data).box) if choice.clip == "box" else part
    except ValueError as error:
        raise Unusable(f"{error}. Choose another plane, or do not cut it to the data box.") from error


def _square(domain: np.ndarray, centre: np.ndarray, half: float) -> np.ndarray:
    for normal in (np.array([1.0, 0.0]), np.array([-1.0, 0.0]), np.array([0.0, 1.0]), np.array([0.0, -1.0])):
        domain = convex.cut(domain, normal, float(normal @ centre) + half)
    return convex.distinct(domain)
