"""Any torch network with k-WTA in the place of ReLU."""

from copy import deepcopy
from dataclasses import replace

import torch
from torch import Tensor, fx, nn

from kwta.activation import KWTA
from kwta.networks.network import Network
from kwta.networks.relu_calls import calls_relu
from kwta.networks.remaining import remaining_relus
from kwta.networks.rewire import is_rewired, rewire
from kwta.networks.specs import Ratio, check_ratios

Example = Tensor | tuple[Tensor, ...]


def with_kwta(module: nn.Module, gamma: Ratio, example: Example | None = None) -> nn.Module:
    """A copy of the network in which every ReLU is φ_k with k = ⌊γN⌋, N being all of one example's entries there.

    Replaced are nn.ReLU and nn.ReLU6 modules anywhere (one that is used twice becomes one k-WTA used twice), and the
    functions relu, relu_ and relu6 of torch, torch.nn.functional and tensors where a module's code names them: all of
    one module share one k-WTA, its child `kwta`. What was in place stays in place. Other activations (leaky ReLU, GELU,
    clamp) stay as they are. The original is untouched and the weights are copied.

    Code does not always tell which functions it calls. With an `example` input (or a tuple of inputs) the copy is run,
    what was missed is replaced too, and that no other ReLU is met is checked; see `remaining_relus`.

    >>> with_kwta(nn.Sequential(nn.Linear(8, 16), nn.ReLU()), gamma=0.25)[1]
    KWTA(gamma=0.25)

    Raises ValueError if nothing is found to replace; if a ReLU cannot be replaced, being in TorchScript, in a compiled
    or traced module, or in a fused kernel such as nn.RNN's; if γ is refused.
    """
    check_ratios(gamma)
    KWTA(gamma)
    for name, part in module.named_modules():
        _check_open(part, _named(name, module))
    copy = deepcopy(module)
    n_replaced, copy = _replace_modules(copy, gamma)
    for part in list(copy.modules()):
        if not isinstance(part, KWTA) and not is_rewired(part) and calls_relu(part):
            _rewire(part, gamma)
            n_replaced += 1
    if example is not None:
        n_replaced += _replace_missed(copy, gamma, example)
    if not n_replaced:
        raise ValueError(f"no ReLU found in {type(module).__name__}; if its code hides one, pass an example input")
    if isinstance(copy, Network) and copy.spec is not None:
        gammas = tuple(gamma if old is None else old for old in copy.spec.gammas)
        copy.spec = replace(copy.spec, gamma=gammas[0] if len(set(gammas)) == 1 else gammas)
    return copy


def _replace_modules(module: nn.Module, gamma: Ratio) -> tuple[int, nn.Module]:
    """How many ReLU modules were replaced, and the module without them (itself, or k-WTA if it was a ReLU)."""
    new = {part: _substitute(part, gamma) for part in module.modules() if _is_relu(part)}
    for parent in list(module.modules()):
        for name, part in parent._modules.items():
            if part in new:
                parent._modules[name] = new[part]
    return len(new), new.get(module, module)


def _is_relu(module: nn.Module) -> bool:
    """nn.ReLU or nn.ReLU6, or a subclass that computes the same."""
    return isinstance(module, nn.ReLU | nn.ReLU6) and type(module).forward in (nn.ReLU.forward, nn.ReLU6.forward)


def _substitute(relu: nn.Module, gamma: Ratio) -> KWTA:
    layer = KWTA(gamma).train(relu.training)
    if getattr(relu, "inplace", False):
        layer.register_forward_hook(_write_back)
    return layer


def _write_back(_: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> Tensor:
    """The output written over the input, as the ReLU did: code may use the input afterwards."""
    return args[0].copy_(output)


def _rewire(part: nn.Module, gamma: Ratio) -> None:
    if isinstance(part, fx.GraphModule):
        raise ValueError("a module traced by torch.fx calls ReLU as a function; convert the network before tracing it")
    rewire(part, KWTA(gamma).train(part.training))


def _replace_missed(copy: nn.Module, gamma: Ratio, example: Example) -> int:
    """Rewire the modules in which the example still meets a ReLU, and count them; refuse where that does not help."""
    missed = remaining_relus(copy, example)
    for name in missed:
        _rewire(copy.get_submodule(name), gamma)
    if missed and (stuck := remaining_relus(copy, example)):
        places = ", ".join(_named(name, copy) for name in stuck)
        raise ValueError(f"the ReLU in {places} cannot be replaced: it is no call from Python")
    return len(missed)


def _check_open(part: nn.Module, place: str) -> None:
    """Refuse a module whose ReLU would be out of reach, or whose copy would still run the original."""
    if isinstance(part, torch.jit.ScriptModule):
        raise ValueError(f"{place} is TorchScript, whose ReLUs are out of reach; convert the network before scripting")
    if hasattr(part, "_orig_mod"):
        raise ValueError(f"{place} is compiled; convert the network before torch.compile")
    fused = isinstance(part, nn.RNN | nn.RNNCell) and part.nonlinearity == "relu"
    if fused:
        raise ValueError(f"{place} computes its ReLU inside a fused kernel, where it cannot be replaced")
    if "forward" in vars(part):
        raise ValueError(f"the forward of {place} was replaced on the instance, so it cannot be copied safely")


def _named(name: str, module: nn.Module) -> str:
    return f"{name or 'the network'} ({type(module.get_submodule(name)).__name__})"
