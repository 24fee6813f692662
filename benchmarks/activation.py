"""φ_k against the formula that is usually written for it, `x * (x >= topk(x, k)[..., -1:])`."""

from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor

from benchmarks.harness import Comparison, Timing, compare, threads, timing
from benchmarks.report import Section
from kwta.activation import kwta, winners
from kwta.timing import formula

# (rows, entries of a row, promised ratio): layers of small networks, and long rows of about 2^20 entries in all.
SHAPES = [(rows, n, 1.0) for rows in (32, 256) for n in (64, 128, 256, 512)] + [
    (2**20 // n, n, 4.0) for n in (4096, 16384, 65536)
]
GAMMAS = (0.1, 0.2, 0.5)
THREADS = (1, 2)

ENTRIES = 2**20
LENGTHS = tuple(2**e for e in range(6, 21, 2))
FLAT_GAMMA = 0.2

Operator = Callable[[Tensor, int], Tensor]


def _normal(rows: int, n: int, device: torch.device) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(rows, n, generator=generator).to(device)


def _forward(operator: Operator, x: Tensor, k: int) -> Tensor:
    with torch.no_grad():
        return operator(x, k)


def _forward_backward(operator: Operator, x: Tensor, gradient: Tensor, k: int) -> None:
    x.grad = None
    operator(x, k).backward(gradient)


def _devices() -> list[torch.device]:
    return [torch.device("cpu")] + ([torch.device("cuda")] if torch.cuda.is_available() else [])


def _calls(rows: int, n: int, gamma: float, device: torch.device) -> dict[str, Callable[[Operator], object]]:
    k = winners(gamma, n)
    x, gradient = _normal(rows, n, device), torch.ones(rows, n, device=device)
    leaf = x.clone().requires_grad_()
    return {
        "forward": partial(_forward, x=x, k=k),
        "forward + backward": partial(_forward_backward, x=leaf, gradient=gradient, k=k),
    }


def _against_formula(direction: str) -> Iterator[Comparison]:
    for device in _devices():
        for n_threads in THREADS if device.type == "cpu" else (torch.get_num_threads(),):
            with threads(n_threads):
                for rows, n, target in SHAPES:
                    for gamma in GAMMAS:
                        call = _calls(rows, n, gamma, device)[direction]
                        case = f"{rows} × {n}, γ = {gamma}"
                        yield compare(case, partial(call, kwta), partial(call, formula), device, target)


def _flatness() -> Iterator[Timing]:
    for device in _devices():
        with threads(1):
            for n in LENGTHS:
                call = _calls(ENTRIES // n, n, FLAT_GAMMA, device)["forward"]
                yield timing(f"{ENTRIES // n} × {n}, γ = {FLAT_GAMMA}", partial(call, kwta), ENTRIES, device)


def sections() -> Iterator[Section]:
    for direction in ("forward", "forward + backward"):
        note = "kwta(x, k) against x * (x >= topk(x, k)[0][..., -1:]), float32, normal entries; ratio = other / ours."
        yield Section(f"φ_k, {direction}", note, _against_formula(direction))
    yield Section(
        "φ_k is O(N)",
        f"Forward time per entry of {ENTRIES:,} entries in rows of N: it stays flat as N grows.",
        _flatness(),
    )
