"""Networks from the few words in which the controls name them: "64,64", or "conv 8,16 / 64"."""

import re
from dataclasses import dataclass, replace

import streamlit as st

from app.compute import Unusable
from app.compute.data import Outline, outline, title
from app.compute.words import short
from kwta.activation.count import exact
from kwta.networks import CNN, MLP, Network, Spec, build

# What a page can still train, draw and answer for within a second or so.
MAX_LAYERS, MAX_WIDTH, MAX_CHANNELS, MAX_PARAMETERS = 8, 4096, 128, 10_000_000
FORM = 'a network is a list of hidden widths such as "64,64", or convolutions and widths such as "conv 8,16 / 64"'
# Untrained networks kept at a time, over all viewers.
KEPT = 32


class NetworkError(Unusable):
    """A network that cannot be built; the message names the value and what is allowed."""


@dataclass(frozen=True)
class Layers:
    """Channels of the convolutions, if any, and widths of the dense hidden layers."""

    channels: tuple[int, ...]
    widths: tuple[int, ...]

    def __str__(self) -> str:
        dense = ",".join(map(str, self.widths))
        convolutions = ",".join(map(str, self.channels))
        return " / ".join(filter(None, (f"conv {convolutions}" if convolutions else "", dense)))


def layers(text: str) -> Layers:
    """The layers that `text` names; NetworkError with the allowed form otherwise.

    >>> layers("conv 8, 16 / 64")
    Layers(channels=(8, 16), widths=(64,))
    """
    match = re.fullmatch(
        r"\s*(?:conv\s+(?P<channels>[\d\s,]+?)\s*(?:/(?P<head>[\d\s,]*))?|(?P<widths>[\d\s,]+))\s*", text
    )
    if not match:
        raise NetworkError(f"{FORM}; got {short(text)}")
    found = Layers(
        _sizes(match["channels"], MAX_CHANNELS, "channels", text),
        _sizes(match["widths"] or match["head"], MAX_WIDTH, "units", text),
    )
    if not 1 <= len(found.channels) + len(found.widths) <= MAX_LAYERS:
        raise NetworkError(f"a network here has 1 to {MAX_LAYERS} hidden layers; got {short(text)}")
    return found


def _sizes(text: str | None, most: int, what: str, whole: str) -> tuple[int, ...]:
    if not (text or "").strip():
        return ()
    words = [word.strip() for word in str(text).split(",")]
    if not all(word.isascii() and word.isdecimal() for word in words):
        raise NetworkError(f"{FORM}; got {short(whole)}")
    if any(len(word) > 6 or not 1 <= int(word) <= most for word in words):
        raise NetworkError(f"a layer here has 1 to {most} {what}; got {short(whole)}")
    return tuple(map(int, words))


def spec(setup, relu: bool = False) -> Spec:
    """The network that the shared controls describe, for the inputs and classes of the chosen data; γ, or ReLU.

    Raises NetworkError if the layers do not fit the data, γ leaves a layer without winner, or it is too large, and
    DataError for an unknown data set. Nothing is loaded.
    """
    found = layers(setup.net)
    data = outline(setup.data)
    spec = _spec(found, data, setup.data)
    if not relu:
        spec = with_gamma(spec, setup.gamma)
    if spec.n_parameters > MAX_PARAMETERS:
        raise NetworkError(
            f"a network here has at most {MAX_PARAMETERS:,} weights; {found} on {title(setup.data)} "
            f"has {spec.n_parameters:,}"
        )
    return spec


def with_gamma(spec: Spec, gamma: float | tuple[float, ...]) -> Spec:
    """The network with this γ, or with one for each hidden layer; NetworkError where a layer would have no winner."""
    gammas = gamma if isinstance(gamma, tuple) else (gamma,) * len(spec.sizes)
    if len(gammas) != len(spec.sizes):
        raise NetworkError(f"these {len(spec.sizes)} hidden layers need as many γ, or one for all; got {len(gammas)}")
    for layer, (one, n) in enumerate(zip(gammas, spec.sizes, strict=True), start=1):
        if exact(one) * n < 1:
            at_least = f"{least(n):g} there" if isinstance(gamma, tuple) else f"{least(min(spec.sizes)):g}"
            raise NetworkError(
                f"γ = {one:g} leaves hidden layer {layer}, of {n} units, without a winner; choose at least {at_least}"
            )
    return replace(spec, gamma=gamma)


def least(n: int) -> float:
    """The smallest γ, in hundredths, that leaves a layer of n units a winner; 0.01 from 100 units on.

    >>> least(64), least(8), least(1)
    (0.02, 0.13, 1.0)
    """
    return max(-(-100 // n), 1) / 100


def _spec(found: Layers, data: Outline, name: str) -> Spec:
    """The network with ReLU."""
    if not found.channels:
        return MLP((data.inputs, *found.widths, data.n_classes))
    if len(data.shape) != 3:
        raise NetworkError(
            f"convolutions need images; {title(name)} has inputs of {data.inputs} numbers. Use widths such as 64,64"
        )
    image = (data.shape[0], data.shape[1], data.shape[2])
    try:
        return CNN(image, found.channels, data.n_classes, hidden=found.widths)
    except ValueError as error:  # an image too small for so many convolutions
        raise NetworkError(str(error)) from error


def network(setup, relu: bool = False) -> Network:
    """The untrained network of `spec(setup)` with the seed's weights, in evaluation mode.

    Shared by all viewers: do not train it, copy it or `kwta.networks.build` another.
    """
    return _built(spec(setup, relu), setup.seed)


@st.cache_resource(max_entries=KEPT, show_spinner=False)
def _built(spec: Spec, seed: int) -> Network:
    net = build(spec, seed)
    net.eval()
    return net


def winners(setup) -> str:
    """k of every layer in words; raises as `spec` does.

    >>> from app.controls import Setup
    >>> winners(Setup())
    'k = 12 of 64, 12 of 64'
    """
    found = spec(setup)
    return "k = " + ", ".join(f"{k} of {n}" for k, n in zip(found.winners, found.sizes, strict=True))
