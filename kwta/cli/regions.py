"""`regions`: the exact linear regions and jumps of a network on a plane or along a line."""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Sequence
from dataclasses import replace
from math import prod
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy import ndarray
from torch import nn

from kwta import slices
from kwta.cli import checkpoint
from kwta.cli.console import Console
from kwta.cli.failures import FailedError, UsageError, failure, misuse
from kwta.cli.parser import gammas, numbers, whole
from kwta.jumps import QUANTILES, Summary, along, borders
from kwta.networks import Gamma, Network, build, from_npz, gammas_of, winners_of
from kwta.regions.line import Pieces, pieces
from kwta.regions.overlay import merged
from kwta.regions.plane import MAX_REGIONS, Cells, cells
from kwta.slices import Slice

DESCRIPTION = """\
Exact linear regions of a network on a square of its input plane or along a line, in float64, with the jumps of f at
their borders. A region is a convex cell of inputs with one full pattern; "merged" counts neighbouring cells that have
the same affine map as one. FILE.npz holds weights W0, b0, W1, b1, ...; a checkpoint is a folder that train made.
The square is [-1, 1] x [-1, 1] unless --plane names another; networks of other than 2 inputs take --line."""
EXAMPLES = (
    "regions runs/moons",
    "regions runs/moons --gamma 0.5 --plane -2,2,-2,2 --json",
    "regions runs/moons --relu --line -1,-0.8 1,0.9",
)
SQUARE = (-1.0, 1.0, -1.0, 1.0)


def arguments(parser: ArgumentParser) -> None:
    """The options of `regions`."""
    parser.add_argument(
        "network", metavar="FILE.npz|CHECKPOINT", help="weights W0, b0, ... or a folder from train --out"
    )
    one = parser.add_mutually_exclusive_group()
    one.add_argument(
        "--gamma",
        type=gammas,
        metavar="G",
        help="γ of all hidden layers or one for each; an .npz file needs it or --relu",
    )
    one.add_argument("--relu", action="store_true", help="ReLU in place of k-WTA")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--plane", type=numbers, metavar="X0,X1,Y0,Y1", help="rectangle of inputs (default: -1,1,-1,1)")
    where.add_argument("--line", type=numbers, nargs=2, metavar=("X", "Y"), help="two inputs, coordinates with commas")
    parser.add_argument(
        "--max-regions", type=whole, default=MAX_REGIONS, metavar="N", help="stop after so many (default: %(default)s)"
    )


def run(arguments: Namespace, console: Console) -> int:
    """Enumerate, and say what there is."""
    net = _network(arguments)
    measure = _on_line if arguments.line else _on_plane
    with misuse():
        where = _line(arguments.line, net) if arguments.line else _square(arguments.plane or SQUARE, net)
    seconds, found = _timed(lambda: measure(net, where, arguments.max_regions))
    document = {
        "network": arguments.network,
        "gammas": gammas_of(net),
        "winners": winners_of(net),
        **found,
        "seconds": seconds,
    }
    _tell(document, console)
    console.document(document)
    return 0


def _network(arguments: Namespace) -> Network:
    """The network with the activation that was asked for. Raises UsageError or FailedError where there is none."""
    if not arguments.network.endswith(".npz"):
        net = checkpoint.network(arguments.network)
        if arguments.relu or arguments.gamma is not None:
            with misuse():
                net = _twin(net, None if arguments.relu else arguments.gamma)
        net.eval()
        return net
    if arguments.gamma is None and not arguments.relu:
        raise UsageError(f"{arguments.network} holds weights alone: say --gamma G or --relu")
    if not Path(arguments.network).is_file():
        raise UsageError(f"there is no file {arguments.network}")
    with failure():
        weights = from_npz(arguments.network, None)
    if arguments.relu:
        return weights
    with misuse():
        return from_npz(arguments.network, arguments.gamma)


def _twin(net: Network, gamma: Gamma) -> Network:
    """The same weights with another activation."""
    assert net.spec is not None  # a checkpoint has one
    twin = build(replace(net.spec, gamma=gamma), seed=0)
    twin.load_state_dict(net.state_dict())
    return twin


def _square(corners: tuple[float, ...], net: Network) -> Slice:
    if (entries := _entries(net)) != 2:
        raise ValueError(
            f"a plane x0,x1,y0,y1 is for networks of 2 inputs, this one takes {entries}: give --line X Y, two inputs "
            f"of {entries} numbers each, with commas; planes through three inputs are made in Python, by "
            "kwta.slices.through(a, b, c), for kwta.regions.plane.cells"
        )
    if len(corners) != 4:
        raise ValueError(f"--plane takes 4 numbers x0,x1,y0,y1, got {len(corners)}")
    return slices.square(*corners)


def _line(ends: Sequence[tuple[float, ...]], net: Network) -> Slice:
    x, y = ends
    if {len(x), len(y)} != {entries := _entries(net)}:
        raise ValueError(
            f"--line takes two inputs of {entries} numbers each, with commas, got one of {len(x)} and one of {len(y)}"
        )
    return slices.segment(np.array(x), np.array(y))


def _entries(net: Network) -> int:
    """Numbers in one input."""
    assert net.spec is not None  # networks of checkpoints and of weights alone have one
    return prod(net.spec.input_shape)


def _timed(work: Callable[[], dict[str, Any]]) -> tuple[float, dict[str, Any]]:
    start = perf_counter()
    with misuse():
        found = work()
    return perf_counter() - start, found


def _on_plane(net: nn.Module, plane: Slice, most: int) -> dict[str, Any]:
    found: Cells = cells(net, plane, most)
    if not len(found):
        raise FailedError("no region was found: the network's values exceed what float64 resolves")
    return {
        "on": "plane",
        "regions": len(found),
        "merged": int(merged(found).max()) + 1,
        "area": found.covered,
        "whole": plane.measure,
        "complete": found.complete,
        "jumps": _jumps(borders(found).summary()),
    }


def _on_line(net: nn.Module, line: Slice, most: int) -> dict[str, Any]:
    found: Pieces = pieces(net, line, most)
    same = _same(found.offset) & _same(found.slope)
    return {
        "on": "line",
        "regions": len(found),
        "merged": int((~same).sum()) + 1,
        "length": found.covered,
        "whole": line.measure,
        "complete": found.complete,
        "jumps": _jumps(along(found).summary()),
    }


def _same(values: ndarray) -> ndarray:
    """Whether each row equals the next to rounding."""
    scale = np.abs(values).max(initial=0.0)
    return (np.abs(np.diff(values, axis=0)) <= 1e-9 * scale).all(axis=1)


def _jumps(found: Summary) -> dict[str, Any]:
    """For JSON: sizes are L2 norms over the outputs; None where there is no border."""
    sizes = {f"q{round(100 * share):02}": value for share, value in zip(QUANTILES, found.quantiles, strict=True)}
    values = {**sizes, "mean": found.mean, "largest": found.largest, "continuous": found.continuous}
    return {"borders": found.n, **{name: None if np.isnan(value) else float(value) for name, value in values.items()}}


def _tell(found: dict[str, Any], console: Console) -> None:
    kind = "regions" if found["on"] == "plane" else "pieces"
    covered = found.get("area", found.get("length"))
    if found["complete"]:
        console.say(f"{found['regions']:,} {kind}, exact; {found['merged']:,} where neighbours with one map count once")
    else:
        console.say(f"INCOMPLETE: there are more than these {found['regions']:,} {kind}; --max-regions")
    console.say(f"covered {covered:.12g} of {found['whole']:.12g}")
    jumps = found["jumps"]
    if jumps["mean"] is not None:
        console.say(
            f"{jumps['borders']:,} borders, {100 * jumps['continuous']:.0f} % without a jump; ‖jump‖ median "
            f"{jumps['q50']:.4g}, mean {jumps['mean']:.4g}, largest {jumps['largest']:.4g}"
        )
    console.say(f"{found['seconds']:.3f} s, borders and the loading of the kernels included")
