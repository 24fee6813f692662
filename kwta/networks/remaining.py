"""Which modules compute a ReLU? Found by running the network and watching PyTorch's dispatcher."""

from copy import deepcopy

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

RELUS = frozenset({torch.ops.aten.relu.default, torch.ops.aten.relu_.default})
CLIPS = frozenset({torch.ops.aten.hardtanh.default, torch.ops.aten.hardtanh_.default})  # relu6 is hardtanh from 0 to 6


def remaining_relus(module: nn.Module, example: Tensor | tuple[Tensor, ...]) -> list[str]:
    """Names of the modules that compute a ReLU while the network runs on the example, in the order met.

    Every relu and relu6 that reaches the dispatcher is seen: of modules, of functions, inside C++ and TorchScript. The
    network itself has the name "". A copy is run, with gradients on and in the network's training or evaluation mode.

    >>> remaining_relus(nn.Sequential(nn.Linear(2, 3), nn.ReLU()), torch.zeros(1, 2))
    ['1']
    """
    copy = deepcopy(module)
    running: list[str] = []
    for name, part in copy.named_modules():
        part.register_forward_pre_hook(lambda *_, name=name: running.append(name))
        part.register_forward_hook(lambda *_: running.pop() and None)
    with torch.enable_grad(), Watched(running) as watched:  # without gradients PyTorch may use fused kernels
        copy(*(example if isinstance(example, tuple) else (example,)))
    return list(dict.fromkeys(watched.found))


class Watched(TorchDispatchMode):
    """While active: `found` gains the innermost of the `running` modules whenever a ReLU is computed."""

    def __init__(self, running: list[str]) -> None:
        super().__init__()
        self.running = running
        self.found: list[str] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func in RELUS or (func in CLIPS and tuple(args[1:3]) == (0, 6)):
            self.found.append(self.running[-1])
        return func(*args, **(kwargs or {}))
