"""The layers of a spec as one nn.Sequential, which keeps the spec: flat, so that exact methods can walk through it."""

from collections import OrderedDict
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import torch
from torch import nn
from torch.nn.utils import skip_init

from kwta.activation import KWTA
from kwta.networks.specs import CNN, MLP, Ratio, Spec


class Network(nn.Sequential):
    """An nn.Sequential that knows what it is.

    It is made of Flatten, Linear, Conv2d, BatchNorm2d, AvgPool2d, KWTA and ReLU only. Layers have the number of their
    hidden layer, from 1: `linear1` or `conv1`, `norm1`, `activation1`, `pool1`; the last is `output`.

    spec: of the layers. γ may have moved since (annealing): the layers hold the current one.
    seed: of the initialisation, None for given weights.
    record: JSON values that travel with it in a checkpoint, such as data name and accuracies.
    """

    spec: Spec | None = None
    seed: int | None = None
    record: dict[str, Any] | None = None


def unfilled(spec: Spec, dtype: torch.dtype = torch.float32, device: str = "cpu") -> Network:
    """The network of `spec` with weights and biases not yet set: fill them, or read them from a file.

    No random numbers are drawn. With the device "meta" it takes no memory and only has shapes.
    """
    options = {"dtype": dtype, "device": device}
    layers = _mlp(spec, options) if isinstance(spec, MLP) else _cnn(spec, options)
    net = Network(OrderedDict(layers))
    net.spec = spec
    return net


def activation(gamma: Ratio | None) -> nn.Module:
    """φ_k over everything after the batch dimension, or ReLU if γ is None."""
    return nn.ReLU() if gamma is None else KWTA(gamma)


def _mlp(spec: MLP, options: dict[str, Any]) -> Iterator[tuple[str, nn.Module]]:
    yield "flatten", nn.Flatten()
    yield from _dense(spec.widths, spec.gammas, 1, options)


def _cnn(spec: CNN, options: dict[str, Any]) -> Iterator[tuple[str, nn.Module]]:
    pairs = pairwise((spec.image[0], *spec.channels))
    for layer, (n_in, n_out) in enumerate(pairs, start=1):
        sides = {"padding": spec.kernel // 2, "bias": not spec.batch_norm}
        yield f"conv{layer}", skip_init(nn.Conv2d, n_in, n_out, spec.kernel, **sides, **options)
        if spec.batch_norm:
            yield f"norm{layer}", nn.BatchNorm2d(n_out, **options)
        yield f"activation{layer}", activation(spec.gammas[layer - 1])
        if spec.pool > 1:
            yield f"pool{layer}", nn.AvgPool2d(spec.pool)
    yield "flatten", nn.Flatten()
    n_convolutions = len(spec.channels)
    yield from _dense(spec.dense_widths, spec.gammas[n_convolutions:], n_convolutions + 1, options)


def _dense(
    widths: tuple[int, ...], gammas: tuple[Ratio | None, ...], first: int, options: dict[str, Any]
) -> Iterator[tuple[str, nn.Module]]:
    """Linear and activation for each hidden layer, numbered from `first`, and the affine output layer."""
    for layer, gamma in enumerate(gammas):
        yield f"linear{first + layer}", skip_init(nn.Linear, widths[layer], widths[layer + 1], **options)
        yield f"activation{first + layer}", activation(gamma)
    yield "output", skip_init(nn.Linear, widths[-2], widths[-1], **options)
