"""The controls that all views share, as one table: a control's key is its parameter in the URL.

A view may declare a table of its own. Most controls are widgets with `bind="query-params"`, and Streamlit keeps their
URL parameter; a component, or a widget whose labels would make an ugly link, is not `bound`: app/state.py does it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from app.compute import data, networks, uploads
from app.compute.words import short
from kwta.activation.count import exact
from kwta.devices import available

MAX_SEED = 2**31 - 1
NETS = ("64,64", "128", "256,256", "32,32,32,32", "conv 8,16 / 64")


@dataclass(frozen=True)
class Control:
    """A row of a table of controls. `read` turns the URL's text into a value; its ValueError says what is allowed."""

    key: str
    label: str
    default: Any
    help: str
    read: Callable[[str], Any]
    bound: bool = True


@dataclass(frozen=True)
class Setup:
    """What the shared controls say; hashable, so it is a cache key and, as a URL, a link."""

    data: str = "digits"
    net: str = "64,64"
    gamma: float = 0.2
    seed: int = 0
    device: str = "auto"
    kind: Literal["setup"] = "setup"


def whole(name: str, low: int, high: int) -> Callable[[str], int]:
    """A reader of whole numbers from `low` to `high`, for a control called `name`."""

    def read(text: str) -> int:
        digits = text.strip()
        if not (digits.isascii() and digits.isdecimal() and len(digits) < 20 and low <= int(digits) <= high):
            raise ValueError(f"{name} must be a whole number from {low} to {high}, got {short(text)}")
        return int(digits)

    return read


def one_of(name: str, choices: Sequence[str]) -> Callable[[str], str]:
    """A reader of one of `choices`, for a control called `name`."""

    def read(text: str) -> str:
        if text not in choices:
            raise ValueError(f"{name} must be one of {', '.join(choices)}; got {short(text)}")
        return text

    return read


def read_gamma(text: str) -> float:
    """γ in (0, 1], snapped to the hundredths of the slider."""
    try:
        value = exact(float(text))
    except (ValueError, OverflowError) as error:
        raise ValueError(f"γ must be a number above 0 and up to 1, got {short(text)}") from error
    return max(round(100 * value), 1) / 100


def read_data(text: str) -> str:
    """The name of a built-in data set, or of an upload that this server has."""
    if uploads.is_own(text):
        uploads.kept(text)
        return text
    return one_of("the data set", data.NAMES)(text)


def read_noise(text: str) -> float:
    """A standard deviation in [0, 0.5], snapped to hundredths."""
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not 0 <= value <= 0.5:
        raise ValueError(f"the noise must be a number from 0 to 0.5, got {short(text)}")
    return round(value, 2)


def _read_net(text: str) -> str:
    return str(networks.layers(text))


CONTROLS = (
    Control("data", "Data", "digits", "What the network learns.", read_data, bound=False),
    Control("noise", "Noise of the 2-D set", 0.05, "Standard deviation of each coordinate.", read_noise),
    Control(
        "net",
        "Hidden layers",
        "64,64",
        "Widths of the hidden layers, or convolutions and widths: choose, or type your own, as 100,50 or conv 4 / 32.",
        _read_net,
        bound=False,
    ),
    Control(
        "gamma", "γ, the share of winners", 0.2, "Each hidden layer of N units keeps k = ⌊γN⌋ of them.", read_gamma
    ),
    Control(
        "seed",
        "Seed",
        0,
        "Fixes the initial weights, the order of the examples in training, and the Operator's vectors. The data stay.",
        whole("the seed", 0, MAX_SEED),
    ),
    Control(
        "device", "Device", "auto", "Where the numbers live.", one_of("the device", ("auto", *available())), bound=False
    ),
)


def control(key: str, controls: Sequence[Control] = CONTROLS) -> Control:
    """The row with this key."""
    return next(c for c in controls if c.key == key)
