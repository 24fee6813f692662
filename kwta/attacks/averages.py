"""Averages over a Gaussian around each input, thousands of points per forward pass."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Generator, Tensor, nn

from kwta.attacks.first_layer import Split, split
from kwta.attacks.losses import Loss
from kwta.networks import Network, calls

# Entries of the widest layer in one forward pass. On the CPU what fits its cache is fastest; on a GPU, what keeps it
# busy: 512 MiB per layer. The numbers are fixed, so that the same generator gives the same draws on every such machine.
ENTRIES_CPU = 2**18
ENTRIES_GPU = 2**27
HELD = 16  # a backward pass keeps tensors of every layer at once: on a GPU that many times fewer points
MOST_POINTS = 2**18  # per forward pass, however narrow the network
# Octonions: part j of what their i-th unit makes of o is SIGNS[i][j] times part i ^ j of o. The first four units are
# those of quaternions, the first two of complex numbers; more than eight keep no products orthogonal (Hurwitz, 1898).
SIGNS = (
    (1, 1, 1, 1, 1, 1, 1, 1),
    (-1, 1, -1, 1, -1, 1, 1, -1),
    (-1, 1, 1, -1, -1, -1, 1, 1),
    (-1, -1, 1, 1, -1, 1, -1, 1),
    (-1, 1, 1, 1, 1, -1, -1, -1),
    (-1, -1, 1, -1, 1, 1, 1, -1),
    (-1, -1, -1, 1, 1, -1, 1, 1),
    (-1, 1, -1, -1, 1, 1, -1, 1),
)


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
    total, cut = torch.zeros_like(x).flatten(start_dim=1), split(net)
    with torch.no_grad():
        for group in _groups(cut, x, labels, sigma, pairs, _points(net, x), generator, orthogonal=True):
            found = total[group.inputs, None]
            for u, points, repeated in group.passes:
                plus, minus = loss(cut.rest(points), repeated).view(2, *u.shape[:2])
                found.baddbmm_(plus.sub_(minus)[:, None], u)
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
    """Σ (∇L(x + σu) + ∇L(x − σu)) / (2 · pairs) over u ~ N(0, 1), drawn for each input, by back-propagation.

    The u are independent: what gradients tell of ‖u‖, blocks of one length would tell several times over.
    """
    total, cut = torch.empty_like(x), split(net)
    for group in _groups(cut, x, labels, sigma, pairs, _points(net, x, HELD), generator):
        found = torch.zeros_like(group.centre)
        for u, drawn, repeated in group.passes:
            points = drawn.detach().requires_grad_()
            with torch.enable_grad():
                value = loss(cut.rest(points.clone()), repeated).sum()  # a layer may write into its input
                (gradient,) = torch.autograd.grad(value, points)
            found += gradient.view(2, *u.shape[:2], *found.shape[1:]).sum(dim=(0, 2))
        total[group.inputs] = cut.pull(x[group.inputs], found)
    return total / (2 * pairs)


# u [inputs, pairs, d]; behind the first layer x + σu and x − σu, in the order [sign, input, pair]; as many labels.
_Pass = tuple[Tensor, Tensor, Tensor]


class _Group(NamedTuple):
    """Inputs whose draws go together, their images behind the first layer, and what each forward pass takes of them."""

    inputs: slice
    centre: Float[Tensor, "inputs ..."]
    passes: Iterator[_Pass]


def _groups(
    cut: Split,
    x: Tensor,
    labels: Tensor,
    sigma: float,
    pairs: int,
    most: int,
    generator: Generator,
    orthogonal: bool = False,
) -> Iterator[_Group]:
    """The work in parts of at most so many points, in which every input gets `pairs` draws in all.

    The memory of a pass is used again by the next: new memory for each would cost as much as the Gaussians. orthogonal:
    in blocks as large as d and the pairs of a pass allow; a pass then ends with a block, unless the input's draws end
    there.
    """
    most, d = max(most // 2, 1), x[0].numel()
    n_pairs, n_inputs = min(pairs, most), min(max(most // pairs, 1), len(x))
    block = next(n for n in (8, 4, 2, 1) if n <= n_pairs and d % n == 0) if orthogonal else 1
    if n_pairs < pairs:
        n_pairs -= n_pairs % block
    gaussians = _Gaussians(n_inputs, n_pairs, d, x.dtype, generator, block)
    room: Tensor | None = None
    for first in range(0, len(x), n_inputs):
        inputs = slice(first, min(first + n_inputs, len(x)))
        with torch.no_grad():
            centre = cut.affine(x[inputs])
        if room is None:
            room = centre.new_empty(2 * n_inputs * n_pairs, *centre.shape[1:])
        yield _Group(inputs, centre, _passes(cut, centre, x[inputs], labels[inputs], sigma, pairs, gaussians, room))


def _passes(
    cut: Split,
    centre: Tensor,
    x: Tensor,
    labels: Tensor,
    sigma: float,
    pairs: int,
    gaussians: "_Gaussians",
    room: Tensor,
) -> Iterator[_Pass]:
    """What can be prepared for all passes of one size is."""
    rows, most = len(x), gaussians.pairs
    for some, times in ((most, pairs // most), (pairs % most, 1)):
        if some == 0:
            continue
        points = room[: 2 * rows * some]
        plus, minus = points.view(2, rows, some, *centre.shape[1:])
        repeated = labels[None, :, None].expand(2, -1, some).flatten()
        draw = gaussians.of(rows, some)
        for _ in range(times):
            u = draw().to(x.device)
            with torch.no_grad():
                moved = cut.linear(u.reshape(-1, *x.shape[1:])).view(plus.shape)
                torch.add(centre[:, None], moved, alpha=sigma, out=plus)
                torch.sub(centre[:, None], moved, alpha=sigma, out=minus)
            yield u, points, repeated


class _Gaussians:
    """u ~ N(0, 1) in blocks of 1, 2, 4 or 8: v as d/block complex numbers or the like, times each of their units.

    Each of a block has the law of v, so that means over them are unbiased; they are orthogonal and of one length, and
    take one vector of random numbers. In `differences` that helps: for a linear function the squared error of n pairs
    is (d + 2 − block)/n of |∇|². Choromanski et al., "Structured evolution with compact architectures for scalable
    policy optimization", ICML 2018, have orthogonal directions.
    """

    def __init__(self, rows: int, pairs: int, d: int, dtype: torch.dtype, generator: Generator, block: int) -> None:
        device, blocks = generator.device, -(-pairs // block)
        self.generator, self.pairs, self.block = generator, pairs, block
        self.drawn = torch.empty(rows, blocks, d, dtype=dtype, device=device)
        if block > 1:
            units = torch.arange(block, device=device)
            first = block * torch.arange(blocks, device=device).view(-1, 1, 1)  # part of each block's v
            self.parts = (first + (units[:, None] ^ units)).flatten()
            signs = torch.tensor(SIGNS, dtype=dtype, device=device)[:block, :block]
            self.signs = signs.repeat_interleave(d // block, dim=1).flatten()
            self.u = torch.empty(rows, blocks, block * d, dtype=dtype, device=device)

    def of(self, rows: int, pairs: int) -> Callable[[], Float[Tensor, "rows pairs d"]]:
        """What draws so many of each row, no more than at first; they live until the next draw."""
        n, blocks, d = self.block, -(-pairs // self.block), self.drawn.shape[2]
        drawn = self.drawn[:rows, :blocks]
        if n == 1:
            return partial(drawn.normal_, generator=self.generator)
        pieces, parts, u = drawn.view(rows, -1, d // n), self.parts[: blocks * n * n], self.u[:rows, :blocks]
        turned, asked = u.view(rows, -1, d // n), u.view(rows, -1, d)[:, :pairs]

        def draw() -> Tensor:
            drawn.normal_(generator=self.generator)
            torch.index_select(pieces, 1, parts, out=turned)
            u.mul_(self.signs)
            return asked

        return draw


def _points(net: nn.Module, x: Float[Tensor, "batch *shape"], held: int = 1) -> int:
    """How many points one pass takes at once."""
    entries = ENTRIES_CPU if x.device.type == "cpu" else ENTRIES_GPU // held
    return min(max(entries // _widest(net, x), 2), MOST_POINTS)


def _widest(net: nn.Module, x: Float[Tensor, "batch *shape"]) -> int:
    """Entries of the widest of input and hidden layers: from the spec, or seen at zeros, which says nothing about x."""
    if isinstance(net, Network) and net.spec is not None:
        return max(x[0].numel(), *net.spec.sizes, 1)
    with torch.no_grad():
        return max(x[0].numel(), *(y.numel() for _, y in calls(net, torch.zeros_like(x[:1]))), 1)
