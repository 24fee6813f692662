"""--widths, --conv, --gamma and their like, as the spec of a network that fits the data."""

from argparse import ArgumentParser, Namespace
from math import prod
from typing import get_args

from kwta.cli.failures import UsageError, misuse
from kwta.cli.parser import annealing, gammas, whole, wholes
from kwta.datasets import Data
from kwta.datasets.data import origin
from kwta.networks import CNN, MLP, Gamma, Spec
from kwta.networks.specs import Init
from kwta.training import ANNEALED, Annealing

WIDTHS = (256, 256)
GAMMA = 0.2


def arguments(parser: ArgumentParser) -> None:
    """The network's shape and its activation."""
    shape = parser.add_argument_group("network", "Inputs and outputs follow from the data.")
    default = ",".join(map(str, WIDTHS))
    shape.add_argument(
        "--widths", type=wholes, metavar="N,N", help=f"units of each hidden layer (default: {default}; CNN: none)"
    )
    shape.add_argument("--conv", type=wholes, metavar="C,C", help="a CNN with these channels; --widths then follow")
    shape.add_argument("--kernel", type=whole, metavar="N", help=f"side of a convolution (default: {CNN.kernel})")
    shape.add_argument("--pool", type=whole, metavar="N", help=f"side of average pooling (default: {CNN.pool})")
    shape.add_argument(
        "--init", choices=get_args(Init), default=MLP.init, help="PyTorch's weights or He's (default: %(default)s)"
    )
    one = shape.add_mutually_exclusive_group()
    one.add_argument(
        "--gamma",
        type=gammas,
        default=GAMMA,
        metavar="G",
        help="γ, the share of units that win, or one per hidden layer, such as 0.2,0.1 (default: %(default)s)",
    )
    one.add_argument("--relu", action="store_true", help="ReLU instead of k-WTA")
    one.add_argument(
        "--anneal",
        type=annealing,
        metavar="START:END:STEP:EVERY",
        help="lower γ by STEP every EVERY epochs; paper is "
        f"{ANNEALED.start}:{ANNEALED.end}:{ANNEALED.step}:{ANNEALED.every}",
    )


def schedule(arguments: Namespace) -> Annealing | None:
    """The course of γ that was asked for, if it moves. Raises ValueError for one that is not allowed."""
    match arguments.anneal:
        case None:
            return None
        case tuple():
            return Annealing(*arguments.anneal)
    return ANNEALED


def spec(arguments: Namespace, data: Data) -> Spec:
    """The network that was asked for, as wide as the data at both ends.

    Raises UsageError for options that do not go together or do not suit the data.
    """
    with misuse():
        return _cnn(arguments, data) if arguments.conv else _mlp(arguments, data)


def check_fit(network: Spec | None, data: Data) -> None:
    """Raises UsageError if a network takes other inputs than those of the data, or has another number of outputs."""
    assert network is not None  # networks from checkpoints have one
    shape = network.input_shape
    takes = prod(data.shape) == prod(shape) if isinstance(network, MLP) else data.shape == shape
    if not takes or network.outputs != data.n_classes:
        raise UsageError(
            f"the network takes inputs of shape {_times(shape)} and has {network.outputs} outputs, but the inputs of "
            f"{origin(data.spec)} have shape {_times(data.shape)} and {data.n_classes} classes"
        )


def _mlp(arguments: Namespace, data: Data) -> MLP:
    for name in ("kernel", "pool"):
        if getattr(arguments, name) is not None:
            raise UsageError(f"--{name} is for CNNs: name their channels with --conv")
    widths = WIDTHS if arguments.widths is None else arguments.widths
    return MLP((prod(data.shape), *widths, data.n_classes), _gamma(arguments), arguments.init)


def _cnn(arguments: Namespace, data: Data) -> CNN:
    if len(data.shape) != 3:
        raise UsageError(f"--conv needs images; the inputs of {origin(data.spec)} have shape {_times(data.shape)}")
    channels, height, width = data.shape
    sizes = {name: getattr(arguments, name) for name in ("kernel", "pool") if getattr(arguments, name) is not None}
    return CNN(
        (channels, height, width),
        arguments.conv,
        data.n_classes,
        hidden=arguments.widths or (),
        gamma=_gamma(arguments),
        init=arguments.init,
        **sizes,
    )


def _gamma(arguments: Namespace) -> Gamma:
    """γ before training."""
    course = schedule(arguments)
    if course is not None:
        return course.start
    return None if arguments.relu else arguments.gamma


def _times(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape))
