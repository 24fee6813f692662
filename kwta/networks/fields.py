"""What the fields of a spec may hold: γ of its hidden layers, sizes, a kind; a refusal names the value."""

from fractions import Fraction
from itertools import pairwise
from reprlib import repr  # long tuples are shortened in messages
from typing import Any, Literal, get_args

from kwta.activation import winners

Ratio = float | Fraction  # Fraction(k, n) is the γ with exactly k winners, whatever k / n rounds to
Gamma = Ratio | None | tuple[Ratio | None, ...]
Init = Literal["default", "he"]

MAX_LAYERS = 1_000  # more is a typing error, and a file could make us build modules for minutes
MAX_PARAMETERS = 2**40  # 4 TiB of float32: no machine holds it, and shapes stay far from integer overflow


def per_layer(gamma: Gamma, n_layers: int) -> tuple[Ratio | None, ...]:
    """γ of each hidden layer: a single value stands for all.

    Raises ValueError if a tuple has another length.
    """
    if not isinstance(gamma, tuple):
        return (gamma,) * n_layers
    if len(gamma) != n_layers:
        raise ValueError(f"gamma needs one entry per hidden layer, {n_layers}, got {len(gamma)}: {repr(gamma)}")
    return gamma


def winners_per_layer(gammas: tuple[Ratio | None, ...], sizes: tuple[int, ...]) -> tuple[int | None, ...]:
    """k = ⌊γn⌋ for each hidden layer, None where γ is None.

    Raises ValueError, naming the layer, if a γ is no number in (0, 1] or leaves no winner.
    """
    return tuple(
        None if gamma is None else _winners_of_layer(layer, gamma, n)
        for layer, (gamma, n) in enumerate(zip(gammas, sizes, strict=True), start=1)
    )


def _winners_of_layer(layer: int, gamma: Ratio, n: int) -> int:
    try:
        return winners(gamma, n)
    except ValueError as error:
        raise ValueError(f"hidden layer {layer}: {error}") from error


def check_ratios(gamma: object) -> None:
    """Refuse what has not the form of γ: a number, None, or a tuple of these."""
    for entry in gamma if isinstance(gamma, tuple) else (gamma,):
        if isinstance(entry, bool) or not isinstance(entry, float | int | Fraction | None):
            raise ValueError(f"gamma must be a number in (0, 1], None for ReLU, or a tuple of these, got {repr(gamma)}")


def check_shared(spec: Any, kind: str) -> None:
    """Kind, initialisation, size and γ, which all specs have."""
    if spec.kind != kind:
        raise ValueError(f"the kind of {type(spec).__name__} is {kind!r}, got {repr(spec.kind)}")
    if spec.init not in get_args(Init):
        raise ValueError(f"init must be one of {', '.join(get_args(Init))}, got {repr(spec.init)}")
    if spec.n_parameters > MAX_PARAMETERS:
        raise ValueError(f"at most {MAX_PARAMETERS:,} parameters are supported, the spec has {spec.n_parameters:,}")
    check_ratios(spec.gamma)
    if not spec.sizes and spec.gamma not in (None, ()):
        raise ValueError(f"gamma = {repr(spec.gamma)} has no hidden layer to act on; use gamma = None")
    winners_per_layer(spec.gammas, spec.sizes)


def check_integers(name: str, values: object) -> None:
    """Refuse anything but a tuple of positive whole numbers (lists are not hashable, True is no number)."""
    if not isinstance(values, tuple) or any(type(value) is not int or value < 1 for value in values):
        raise ValueError(f"{name} must be made of positive whole numbers, in a tuple if several, got {repr(values)}")
    if len(values) > MAX_LAYERS or max(values, default=1) > MAX_PARAMETERS:
        raise ValueError(f"{name} may have {MAX_LAYERS} entries up to {MAX_PARAMETERS:,}, got {repr(values)}")


def check_image(image: object) -> None:
    """Refuse what is not (channels, height, width)."""
    check_integers("image", image)
    assert isinstance(image, tuple)
    if len(image) != 3:
        raise ValueError(f"image must be (channels, height, width), got {image}")


def dense_parameters(widths: tuple[int, ...]) -> int:
    """Σ (n_in + 1) n_out: weights and biases of fully connected layers."""
    return sum((a + 1) * b for a, b in pairwise(widths))
