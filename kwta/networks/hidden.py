"""The hidden activations of a network: which they are, their γ, and what they see.

A hidden activation is a KWTA or nn.ReLU module, anywhere in the network.
"""

from threading import get_ident

from jaxtyping import Shaped
from torch import Tensor, nn

from kwta.activation import KWTA
from kwta.activation.count import Ratio
from kwta.networks.network import Network
from kwta.networks.specs import Gamma, check_ratios, per_layer, winners_per_layer

UNKNOWN = 10**12  # units of a layer in a network without a spec: k = 0 can then only be noticed in the forward pass


def hidden(net: nn.Module) -> list[tuple[str, nn.Module]]:
    """Name and module of every hidden activation, in the order in which they are registered.

    For sequential networks this is the forward order. A module that is registered twice is listed twice.

    >>> [name for name, _ in hidden(build(MLP((2, 8, 8, 2)), seed=0))]
    ['activation1', 'activation2']
    """
    modules = net.named_modules(remove_duplicate=False)
    return [(name, module) for name, module in modules if isinstance(module, KWTA | nn.ReLU)]


def gammas_of(net: nn.Module) -> tuple[Ratio | None, ...]:
    """The current γ of every hidden activation, as listed by `hidden`; None is ReLU."""
    return tuple(module.gamma if isinstance(module, KWTA) else None for _, module in hidden(net))


def winners_of(net: nn.Module, x: Shaped[Tensor, "batch ..."] | None = None) -> tuple[int | None, ...]:
    """The current k of every hidden activation; None is ReLU.

    The numbers of units are those of `net.spec`, or, given inputs x, those met in a forward pass (one entry per call).

    Raises ValueError if there is neither a spec nor x.
    """
    if x is not None:
        met = calls(net, x)
        return tuple(module.winners(_units(module, y)) if isinstance(module, KWTA) else None for module, y in met)
    if (sizes := _sizes(net)) is None:
        raise ValueError("the network has no spec to take the numbers of units from; pass inputs x")
    pairs = zip(hidden(net), sizes, strict=True)
    return tuple(module.winners(n) if isinstance(module, KWTA) else None for (_, module), n in pairs)


def set_gamma(net: nn.Module, gamma: Gamma) -> None:
    """Set γ of every k-WTA layer; ReLU layers stay.

    A tuple has one entry per hidden activation, None for ReLU, as `gammas_of` returns it. Either all change or none.

    Raises ValueError if there is no k-WTA layer, if a value is outside (0, 1] or leaves no winner in a layer whose
    number of units is known from `net.spec`, or if a tuple does not fit.
    """
    layers = [module for _, module in hidden(net)]
    if not any(isinstance(module, KWTA) for module in layers):
        raise ValueError("the network has no k-WTA layer whose gamma could be set")
    current = gammas_of(net)
    check_ratios(gamma)
    if gamma is None:
        raise ValueError("gamma must be a number in (0, 1], got None")
    if isinstance(gamma, tuple):
        wanted = per_layer(gamma, len(layers))
        _check_kinds(wanted, current)
    else:
        wanted = tuple(None if old is None else gamma for old in current)
    if len(set(zip(layers, wanted, strict=True))) > len(set(layers)):
        raise ValueError(f"one k-WTA module appears in several places, so their gammas cannot differ: got {gamma}")
    winners_per_layer(wanted, _sizes(net) or (UNKNOWN,) * len(wanted))
    for module, new in zip(layers, wanted, strict=True):
        if isinstance(module, KWTA) and new is not None:
            module.gamma = new


def activations(net: nn.Module, x: Shaped[Tensor, "batch ..."]) -> list[Tensor]:
    """y of every call of a hidden activation during net(x): its input, the pre-activations, in the order of the calls.

    Each has the shape [batch, *shape of the layer] and belongs to the autograd graph unless gradients are off. Works
    for any module; an activation that is called several times gives several entries. The network runs in the mode it
    is in, so call `net.eval()` before, lest batch norm learn from x. Several threads may look into one network at once.
    """
    return [y for _, y in calls(net, x)]


def calls(net: nn.Module, x: Shaped[Tensor, "batch ..."]) -> list[tuple[nn.Module, Tensor]]:
    """The hidden activation and y of each of its calls during net(x), in the order of the calls; see `activations`."""
    found: list[tuple[nn.Module, Tensor]] = []
    thread = get_ident()

    # A call by another thread may come between torch's two steps of registering, and then without kwargs.
    def keep(module: nn.Module, args: tuple, kwargs: dict | None = None) -> None:
        if get_ident() == thread:  # other threads may be calling the same network
            y = next(iter((*args, *(kwargs or {}).values())))
            found.append((module, y.clone()))  # an in-place activation will overwrite its input

    modules = {module for _, module in hidden(net)}
    handles = [module.register_forward_pre_hook(keep, with_kwargs=True) for module in modules]
    try:
        net(x)
    finally:
        for handle in handles:
            handle.remove()
    return found


def _units(layer: KWTA, y: Tensor) -> int:
    """N, the number of entries of one vector of the layer."""
    return y.shape[-(layer.dims or max(y.ndim - 1, 1)) :].numel()


def _sizes(net: nn.Module) -> tuple[int, ...] | None:
    """n of each hidden activation where the spec tells."""
    return net.spec.sizes if isinstance(net, Network) and net.spec is not None else None


def _check_kinds(wanted: tuple, current: tuple) -> None:
    for layer, (new, old) in enumerate(zip(wanted, current, strict=True), start=1):
        if (new is None) != (old is None):
            raise ValueError(
                f"hidden layer {layer} is {'ReLU' if old is None else 'k-WTA'}: its gamma must be "
                f"{'None' if old is None else 'a number'}, got {new}"
            )
