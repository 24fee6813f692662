"""Averages over a Gaussian around each input, thousands of points per forward pass."""

from collections.abc import Iterator

import torch
from jaxtyping import Float, Int64
from torch import Generator, Tensor, nn

from kwta.attacks.losses import Loss
from kwta.networks import Network, calls

# Entries of the widest layer in one forward pass. On the CPU what fits its cache is fastest; on a GPU, what keeps it
# busy: 512 MiB per layer. The numbers are fixed, so that the same generator gives the same draws on every such machine.
ENTRIES_CPU = 2**19
ENTRIES_GPU = 2**27
MOST_POINTS = 2**18  # per forward pass, however narrow the network


def differences(
    net: nn.Module,
    loss: Loss,
    sigma: float,
    generator: Generator,
    x: Float[Tensor, "batch *shape"],
    labels: Int64[Tensor, "batch"],
    pairs: int,
) -> Float[Tensor, "batch *shape"]:
    """Σ (L(x + σu) − L(x − σu)) u / (2σ · pairs) over u ~ N(0, 1), drawn for each input; forward passes alone.

    Its expectation is the gradient of L averaged over a Gaussian of standard deviation σ, jumps included.
    """
    total = torch.zeros_like(x).flatten(start_dim=1)
    with torch.no_grad():
        for inputs, u in _draws(net, x, pairs, generator):
            points = _antithetic(x[inputs].flatten(start_dim=1), u, sigma)
            values = _losses(net, loss, points.reshape(-1, *x.shape[1:]), labels[inputs], u.shape[1])
            total[inputs] += torch.bmm((values[0] - values[1])[:, None], u)[:, 0]
    return (total / (2 * sigma * pairs)).reshape(x.shape)


def mean_gradient(
    net: nn.Module,
    loss: Loss,
    sigma: float,
    generator: Generator,
    x: Float[Tensor, "batch *shape"],
    labels: Int64[Tensor, "batch"],
    pairs: int,
) -> Float[Tensor, "batch *shape"]:
    """Σ (∇L(x + σu) + ∇L(x − σu)) / (2 · pairs) over u ~ N(0, 1), drawn for each input, by back-propagation."""
    total = torch.zeros_like(x)
    for inputs, u in _draws(net, x, pairs, generator):
        points = _antithetic(x[inputs].flatten(start_dim=1), u, sigma).reshape(-1, *x.shape[1:]).requires_grad_()
        with torch.enable_grad():
            value = _losses(net, loss, points, labels[inputs], u.shape[1]).sum()
            (gradient,) = torch.autograd.grad(value, points)
        total[inputs] += gradient.reshape(2, *u.shape[:2], *x.shape[1:]).sum(dim=(0, 2))
    return total / (2 * pairs)


def _draws(net: nn.Module, x: Tensor, pairs: int, generator: Generator) -> Iterator[tuple[slice, Tensor]]:
    """Slices of the batch, each several times with some of its u, [inputs, some pairs, d]: `pairs` for each input."""
    most = max(_points(net, x) // 2, 1)
    n_pairs, n_inputs = min(pairs, most), max(most // pairs, 1)
    size = x[0].numel()
    for first in range(0, len(x), n_inputs):
        inputs = slice(first, min(first + n_inputs, len(x)))
        for start in range(0, pairs, n_pairs):
            shape = (inputs.stop - first, min(n_pairs, pairs - start), size)
            u = torch.randn(shape, generator=generator, dtype=x.dtype, device=generator.device)
            yield inputs, u.to(x.device)


def _antithetic(
    x: Float[Tensor, "inputs d"], u: Float[Tensor, "inputs pairs d"], sigma: float
) -> Float[Tensor, "2 inputs pairs d"]:
    """x + σu and x − σu."""
    points = torch.empty((2, *u.shape), dtype=u.dtype, device=u.device)
    torch.add(x[:, None], u, alpha=sigma, out=points[0])
    torch.sub(x[:, None], u, alpha=sigma, out=points[1])
    return points


def _losses(net: nn.Module, loss: Loss, points: Tensor, labels: Tensor, pairs: int) -> Float[Tensor, "2 inputs pairs"]:
    """L at points that stand in the order [sign, input, pair]."""
    repeated = labels[None, :, None].expand(2, -1, pairs)
    return loss(net(points), repeated.reshape(-1)).reshape(repeated.shape)


def _points(net: nn.Module, x: Float[Tensor, "batch *shape"]) -> int:
    """How many points one forward pass takes at once."""
    entries = ENTRIES_CPU if x.device.type == "cpu" else ENTRIES_GPU
    return min(max(entries // _widest(net, x), 2), MOST_POINTS)


def _widest(net: nn.Module, x: Float[Tensor, "batch *shape"]) -> int:
    """Entries of the widest of input and hidden layers: from the spec, or seen at an input of zeros, which asks nothing
    of the network about x.
    """
    if isinstance(net, Network) and net.spec is not None:
        return max(x[0].numel(), *net.spec.sizes, 1)
    with torch.no_grad():
        return max(x[0].numel(), *(y.numel() for _, y in calls(net, torch.zeros_like(x[:1]))), 1)
