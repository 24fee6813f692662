"""Random specs for property tests, and inputs that fit them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction

import jaxtyping
import torch
from hypothesis import strategies as st

from kwta.networks import CNN, MLP, Spec


@contextmanager
def unchecked() -> Iterator[None]:
    """Without the run-time checker of annotations, as people run the library: its own refusals must do."""
    jaxtyping.config.update("jaxtyping_disable", True)
    try:
        yield
    finally:
        jaxtyping.config.update("jaxtyping_disable", False)


widths = st.lists(st.integers(1, 12), min_size=2, max_size=5).map(tuple)


@st.composite
def gammas(draw: st.DrawFn, sizes: tuple[int, ...]):
    """None, one γ for all layers, or one entry for each; never k = 0."""
    if not sizes or draw(st.booleans()):
        return None
    ratios = [
        st.one_of(st.floats(1 / n, 1).filter(lambda g, n=n: g * n >= 1 + 1e-9), st.just(1), st.just(Fraction(1, n)))
        for n in sizes
    ]
    if draw(st.booleans()):
        return draw(ratios[sizes.index(min(sizes))])
    return tuple(draw(st.none() | ratio) for ratio in ratios)


@st.composite
def mlps(draw: st.DrawFn) -> MLP:
    with unchecked():  # the checker draws random numbers, which strategies must not
        spec = MLP(draw(widths), init=draw(st.sampled_from(["default", "he"])))
        return replace(spec, gamma=draw(gammas(spec.sizes)))


@st.composite
def cnns(draw: st.DrawFn) -> CNN:
    pool = draw(st.integers(1, 3))
    channels = draw(st.lists(st.integers(1, 4), min_size=1, max_size=2).map(tuple))
    side = st.integers(pool ** len(channels), 10)
    fields = {
        "image": (draw(st.integers(1, 3)), draw(side), draw(side)),
        "classes": draw(st.integers(1, 4)),
        "kernel": draw(st.sampled_from([1, 3, 5])),
        "batch_norm": draw(st.booleans()),
        "hidden": draw(st.lists(st.integers(1, 6), max_size=2).map(tuple)),
        "init": draw(st.sampled_from(["default", "he"])),
    }
    with unchecked():
        spec = CNN(channels=channels, pool=pool, **fields)
        return replace(spec, gamma=draw(gammas(spec.sizes)))


specs = st.one_of(mlps(), cnns())


def inputs(spec: Spec, n: int = 5, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """n random examples that fit the spec."""
    return torch.randn(n, *spec.input_shape, generator=torch.Generator().manual_seed(7), dtype=dtype)
