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
# A quaternion (a, b, c, d), and what i, j and k make of it: which of its parts stand where, and with which sign.
PARTS = ((0, 1, 2, 3), (1, 0, 3, 2), (2, 3, 0, 1), (3, 2, 1, 0))
SIGNS = ((1, 1, 1, 1), (-1, 1, -1, 1), (-1, 1, 1, -1), (-1, -1, 1, 1))


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
        for inputs, u, points in _draws(net, x, sigma, pairs, generator, in_fours=True):
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
    """Σ (∇L(x + σu) + ∇L(x − σu)) / (2 · pairs) over u ~ N(0, 1), drawn for each input, by back-propagation.

    The u are independent: what gradients tell of ‖u‖, fours of one length would tell four times over.
    """
    total = torch.zeros_like(x)
    for inputs, u, drawn in _draws(net, x, sigma, pairs, generator, held=HELD):
        points = drawn.reshape(-1, *x.shape[1:]).detach().requires_grad_()
        with torch.enable_grad():
            value = _losses(net, loss, points, labels[inputs], u.shape[1]).sum()
            (gradient,) = torch.autograd.grad(value, points)
        total[inputs] += gradient.reshape(2, *u.shape[:2], *x.shape[1:]).sum(dim=(0, 2))
    return total / (2 * pairs)


def _draws(
    net: nn.Module,
    x: Tensor,
    sigma: float,
    pairs: int,
    generator: Generator,
    in_fours: bool = False,
    held: int = 1,
) -> Iterator[tuple[slice, Tensor, Tensor]]:
    """Parts of the work, each fit for one forward pass: inputs, some of their u, and the points x + σu and x − σu.

    u is [inputs, pairs, d] and the points [2, inputs, pairs, d]; every input gets `pairs` draws in all. The memory of a
    part is used again by the next: new memory for each would cost as much as the Gaussians. in_fours: where d and the
    pairs of a part allow; a part then ends with a four, unless the input's draws end there.
    """
    flat = x.flatten(start_dim=1)
    most = max(_points(net, x, held) // 2, 1)
    n_pairs, n_inputs = min(pairs, most), min(max(most // pairs, 1), len(x))
    in_fours = in_fours and n_pairs >= 4 and flat.shape[1] % 4 == 0
    if in_fours and n_pairs < pairs:
        n_pairs -= n_pairs % 4
    gaussians = _Gaussians(n_inputs, n_pairs, flat.shape[1], x.dtype, generator, in_fours)
    room = torch.empty(2 * n_inputs * n_pairs, flat.shape[1], dtype=x.dtype, device=x.device)
    for first in range(0, len(x), n_inputs):
        inputs = slice(first, min(first + n_inputs, len(x)))
        rows, centre = inputs.stop - first, flat[inputs, None]
        for start in range(0, pairs, n_pairs):
            some = min(n_pairs, pairs - start)
            u = gaussians.draw(rows, some).to(x.device)
            points = room[: 2 * rows * some].view(2, *u.shape)
            torch.add(centre, u, alpha=sigma, out=points[0])
            torch.sub(centre, u, alpha=sigma, out=points[1])
            yield inputs, u, points


class _Gaussians:
    """u ~ N(0, 1), all independent or in fours v, iv, jv, kv: v as d/4 quaternions, turned by their units.

    Each of the four has the law of v, so that means over them are unbiased; they are orthogonal and of one length, and
    take a quarter of the random numbers. In `differences` that helps: for a linear function the squared error of n
    pairs falls from (d + 1)/n to (d − 2)/n of |∇|². Choromanski et al., "Structured evolution with compact
    architectures for scalable policy optimization", ICML 2018, have orthogonal directions.
    """

    def __init__(self, rows: int, pairs: int, d: int, dtype: torch.dtype, generator: Generator, in_fours: bool) -> None:
        device = generator.device
        self.generator, self.in_fours = generator, in_fours
        self.u = torch.empty(rows * pairs, d, dtype=dtype, device=device)
        if in_fours:
            fours = -(-pairs // 4)
            self.drawn = torch.empty(rows * fours, d, dtype=dtype, device=device)
            first = 4 * torch.arange(fours, device=device).view(-1, 1, 1)  # part of each four's v
            self.parts = (first + torch.tensor(PARTS, device=device)).flatten()
            self.signs = torch.tensor(SIGNS, dtype=dtype, device=device).repeat(fours, 1).view(-1, 1)

    def draw(self, rows: int, pairs: int) -> Float[Tensor, "rows pairs d"]:
        """So many of each row, no more than at first; they live until the next draw."""
        u, d = self.u[: rows * pairs], self.u.shape[1]
        if not self.in_fours:
            return u.normal_(generator=self.generator).view(rows, pairs, d)
        drawn = self.drawn[: rows * -(-pairs // 4)].normal_(generator=self.generator)
        turned = u.view(rows, 4 * pairs, d // 4)
        torch.index_select(drawn.view(rows, -1, d // 4), 1, self.parts[: 4 * pairs], out=turned)
        return turned.mul_(self.signs[: 4 * pairs]).view(rows, pairs, d)


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
