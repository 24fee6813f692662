"""The layers of a spec as one nn.Sequential, which keeps the spec: flat, so that exact methods can walk through it."""

from collections import OrderedDict
from itertools import pairwise
from typing import Any

import torch
from torch import nn

from kwta.networks import alexnet, resnet
from kwta.networks.layers import Named, activation, convolution, dense
from kwta.networks.specs import CNN, MLP, AlexNet, ResNet18, Spec


class Network(nn.Sequential):
    """An nn.Sequential that knows what it is.

    It is made of Flatten, Linear, Conv2d, BatchNorm2d, AvgPool2d, KWTA and ReLU, in a ResNet18 also of Residual blocks
    of these, in an AlexNet also of MaxPool2d. Layers have the number of their hidden layer, from 1: `linear1` or
    `conv1`, `norm1`, `activation1`, `pool1`; the last is `output`.

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
    net = Network(OrderedDict(_layers(spec, options)))
    net.spec = spec
    return net


def _layers(spec: Spec, options: dict[str, Any]) -> Named:
    match spec:
        case MLP():
            return _mlp(spec, options)
        case CNN():
            return _cnn(spec, options)
        case ResNet18():
            return resnet.layers(spec, options)
        case AlexNet():
            return alexnet.layers(spec, options)


def _mlp(spec: MLP, options: dict[str, Any]) -> Named:
    yield "flatten", nn.Flatten()
    yield from dense(spec.widths, spec.gammas, 1, options)


def _cnn(spec: CNN, options: dict[str, Any]) -> Named:
    pairs = pairwise((spec.image[0], *spec.channels))
    for layer, (n_in, n_out) in enumerate(pairs, start=1):
        sides = {"padding": spec.kernel // 2, "bias": not spec.batch_norm}
        yield f"conv{layer}", convolution(n_in, n_out, spec.kernel, options, **sides)
        if spec.batch_norm:
            yield f"norm{layer}", nn.BatchNorm2d(n_out, **options)
        yield f"activation{layer}", activation(spec.gammas[layer - 1])
        if spec.pool > 1:
            yield f"pool{layer}", nn.AvgPool2d(spec.pool)
    yield "flatten", nn.Flatten()
    n_convolutions = len(spec.channels)
    yield from dense(spec.dense_widths, spec.gammas[n_convolutions:], n_convolutions + 1, options)
