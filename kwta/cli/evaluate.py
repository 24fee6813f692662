"""`evaluate`: how good a saved network is, on the data it was trained on or on others."""

from argparse import ArgumentParser, Namespace
from dataclasses import asdict
from typing import Any

import torch
from numpy import ndarray

from kwta import devices
from kwta.cli import checkpoint, threads
from kwta.cli.console import Console
from kwta.cli.failures import UsageError, misuse
from kwta.cli.options import data as data_options
from kwta.cli.options import network as network_options
from kwta.cli.parser import gammas
from kwta.datasets import Spec, from_record
from kwta.networks import Network, gammas_of, set_gamma, winners_of
from kwta.training import evaluate

DESCRIPTION = """\
Loss (mean cross-entropy in nats), accuracy and dead units of a saved network, on the training and on the test part of
the data. A unit is dead if it wins for none of the examples (with ReLU: if it is positive for none of them)."""
EXAMPLES = (
    "evaluate runs/moons",
    "evaluate runs/moons --data moons --noise 0.2 --points 5000 --data-seed 7",
    "evaluate runs/digits --gamma 0.5 --json",
)


def arguments(parser: ArgumentParser) -> None:
    """The options of `evaluate`."""
    parser.add_argument("checkpoint", metavar="CHECKPOINT", help="a folder that train --out has made")
    parser.add_argument("--gamma", type=gammas, metavar="G", help="evaluate at this γ (default: the checkpoint's)")
    parser.add_argument("--device", default="auto", metavar="D", help="auto, cpu, cuda or mps (default: %(default)s)")
    data_options.arguments(parser, required=False, otherwise=" (default: what the checkpoint was trained on)")


def run(arguments: Namespace, console: Console) -> int:
    """Evaluate both parts of the data."""
    net = checkpoint.network(arguments.checkpoint)
    with misuse():
        device = devices.pick(arguments.device)
        if arguments.gamma is not None:
            set_gamma(net, arguments.gamma)
    data = data_options.loaded(data_spec(arguments, net), console)
    network_options.check_fit(net.spec, data)
    net.to(device)
    with threads.few(net):
        parts = {
            "train": _measured(net, data.x_train, data.labels_train, device),
            "test": _measured(net, data.x_test, data.labels_test, device),
        }
    _tell(parts, console)
    own = {"checkpoint": arguments.checkpoint, "data": asdict(data.spec), "device": devices.describe(device)}
    console.document({**own, "gammas": gammas_of(net), "winners": winners_of(net), **parts})
    return 0


def data_spec(arguments: Namespace, net: Network) -> Spec:
    """The data set that was asked for, or else the one in the record. Raises UsageError if there is neither."""
    if arguments.data is not None:
        return data_options.spec(arguments)
    for option in data_options.given(arguments):
        raise UsageError(f"{option.flag} needs --data")
    recorded = (net.record or {}).get("data")
    if not isinstance(recorded, dict):
        raise UsageError(f"{arguments.checkpoint} does not say on what it was trained; name the data with --data")
    with misuse():
        return from_record(recorded)


def _measured(net: Network, x: ndarray, labels: ndarray, device: torch.device) -> dict[str, Any]:
    result = evaluate(net, torch.tensor(x, device=device), torch.tensor(labels, device=device))
    return {"examples": len(x), "right": round(result.accuracy * len(x)), **asdict(result)}


def _tell(parts: dict[str, dict[str, Any]], console: Console) -> None:
    console.say(f"{'part':<6} {'examples':>9} {'correct':>9} {'accuracy':>10} {'loss':>9}  dead units per hidden layer")
    for name, part in parts.items():
        counts = f"{part['examples']:>9,} {part['right']:>9,}"
        dead = ", ".join(map(str, part["dead"]))
        console.say(f"{name:<6} {counts} {100 * part['accuracy']:>8.2f} % {part['loss']:>9.4f}  {dead}")
