"""Averages over a Gaussian around each input, thousands of points per forward pass."""

from collections.abc import Iterator

import torch
from jaxtyping import Float, Int64
from torch import Generator, Tensor, nn

from kwta.attacks.losses import Loss
from kwta.networks import Network, calls

# Entries of the widest layer in one forward pass. On the CPU what fits its cache is fastest; on a GPU, what keeps it
# busy: 512 MiB per layer. The numbers are fixed, so that the same generator gives the same draws on every such machine.
ENTRIES_CPU = 2**18
ENTRIES_GPU = 2**27
HELD = 16  # a backward pass keeps tensors of every layer at once: on a GPU that many times fewer points
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
        for inputs, u, points in _draws(net, x, sigma, pairs, generator):
            plus, minus = _losses(net, loss, points.view(-1, *x.shape[1:]), labels[inputs], u.shape[1])
            total[inputs, None].baddbmm_(plus.sub_(minus)[:, None], u)
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
    for inputs, u, drawn in _draws(net, x, sigma, pairs, generator, HELD):
        points = drawn.reshape(-1, *x.shape[1:]).detach().requires_grad_()
        with torch.enable_grad():
            value = _losses(net, loss, points, labels[inputs], u.shape[1]).sum()
            (gradient,) = torch.autograd.grad(value, points)
        total[inputs] += gradient.reshape(2, *u.shape[:2], *x.shape[1:]).sum(dim=(0, 2))
    return total / (2 * pairs)


def _draws(
    net: nn.Module, x: Tensor, sigma: float, pairs: int, generator: Generator, held: int = 1
) -> Iterator[tuple[slice, Tensor, Tensor]]:
    """Parts of the work, each fit for one forward pass: inputs, some of their u, and the points x + σu and x − σu.

    u is [inputs, pairs, d] and the points [2, inputs, pairs, d]; every input gets `pairs` draws in all. The memory of a
    part is used again by the next: new memory for each would cost as much as the Gaussians.
    """
    flat, device = x.flatten(start_dim=1), generator.device
    most = max(_points(net, x, held) // 2, 1)
    n_pairs, n_inputs = min(pairs, most), min(max(most // pairs, 1), len(x))
    drawn = torch.empty(n_inputs * n_pairs, flat.shape[1], dtype=x.dtype, device=device)
    room = torch.empty(2 * len(drawn), flat.shape[1], dtype=x.dtype, device=x.device)
    for first in range(0, len(x), n_inputs):
        inputs = slice(first, min(first + n_inputs, len(x)))
        rows, centre = inputs.stop - first, flat[inputs, None]
        for start in range(0, pairs, n_pairs):
            some = min(n_pairs, pairs - start)
            u = drawn[: rows * some].normal_(generator=generator).to(x.device).view(rows, some, -1)
            points = room[: 2 * rows * some].view(2, *u.shape)
            torch.add(centre, u, alpha=sigma, out=points[0])
            torch.sub(centre, u, alpha=sigma, out=points[1])
            yield inputs, u, points


def _losses(net: nn.Module, loss: Loss, points: Tensor, labels: Tensor, pairs: int) -> Float[Tensor, "2 inputs pairs"]:
    """L at points that stand in the order [sign, input, pair]."""
    repeated = labels[None, :, None].expand(2, -1, pairs)
    return loss(net(points), repeated.reshape(-1)).view(repeated.shape)


def _points(net: nn.Module, x: Float[Tensor, "batch *shape"], held: int) -> int:
    """How many points one pass takes at once."""
    entries = ENTRIES_CPU if x.device.type == "cpu" else ENTRIES_GPU // held
    return min(max(entries // _widest(net, x), 2), MOST_POINTS)


def _widest(net: nn.Module, x: Float[Tensor, "batch *shape"]) -> int:
    """Entries of the widest of input and hidden layers: from the spec, or seen at zeros, which says nothing about x."""
    if isinstance(net, Network) and net.spec is not None:
        return max(x[0].numel(), *net.spec.sizes, 1)
    with torch.no_grad():
        return max(x[0].numel(), *(y.numel() for _, y in calls(net, torch.zeros_like(x[:1]))), 1)
