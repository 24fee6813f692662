"""`info`: what a checkpoint says about itself."""

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from typing import Any

from kwta.cli import checkpoint
from kwta.cli.console import Console
from kwta.networks import Spec
from kwta.networks.json_form import from_dict, ratios_from_json
from kwta.networks.specs import winners_per_layer

DESCRIPTION = """\
What a saved network is: its spec, parameters, and the winners of each hidden layer at its current γ; and the record of
its training. Weights are not read."""
EXAMPLES = ("info runs/moons", "info runs/digits --json")


def arguments(parser: ArgumentParser) -> None:
    """The options of `info`."""
    parser.add_argument("checkpoint", metavar="CHECKPOINT", help="a folder that train --out has made")


def run(arguments: Namespace, console: Console) -> int:
    """Tell what there is to know."""
    header = checkpoint.header(arguments.checkpoint)
    spec = from_dict(header["spec"])
    layers = _layers(spec, header["gammas"])
    for line in (*_network(header, spec, layers), *_training(header["record"] or {})):
        console.say(line)
    known = {"checkpoint": arguments.checkpoint, "parameters": spec.n_parameters, "layers": layers}
    console.document({**known, **header})
    return 0


def _layers(spec: Spec, gammas: list[Any]) -> list[dict[str, Any]]:
    """Units, γ and winners of each hidden layer; γ and winners of ReLU are None."""
    winners = winners_per_layer(tuple(ratios_from_json(gammas)), spec.sizes)
    rows = zip(spec.sizes, gammas, winners, strict=True)
    return [{"layer": i, "units": n, "gamma": gamma, "winners": k} for i, (n, gamma, k) in enumerate(rows, start=1)]


def _network(header: dict[str, Any], spec: Spec, layers: list[dict[str, Any]]) -> Iterator[str]:
    sizes = "–".join(map(str, (*spec.input_shape, *spec.sizes, spec.outputs)))
    seed = "given weights" if header["seed"] is None else f"seed {header['seed']}"
    yield _row("network", f"{spec.kind.upper()} {sizes}, {seed}")
    yield _row("parameters", f"{spec.n_parameters:,}, {header['dtype']}")
    for row in layers:
        won = "ReLU" if row["gamma"] is None else f"{row['winners']:,} winners (γ = {row['gamma']})"
        yield _row(f"layer {row['layer']}", f"{row['units']:,} units, {won}")


def _training(record: dict[str, Any]) -> Iterator[str]:
    """The record in a few lines; whoever saved the network may have written another, which is shown as it is."""
    for name in ("data", "training"):
        if isinstance(record.get(name), dict):
            yield _row(name, _fields(record[name]))
    epochs = record.get("epochs")
    if isinstance(epochs, list) and epochs and isinstance(epochs[-1], dict):
        yield _row("last epoch", _fields(epochs[-1]))
    for name, value in record.items():
        if name not in ("data", "training", "epochs", "classes"):
            yield _row(name, _fields(value) if isinstance(value, dict) else str(value))


def _fields(entries: dict[str, Any]) -> str:
    """What a record says, without what it leaves open and without the kind, which its place tells."""
    told = {name: value for name, value in entries.items() if name != "kind" and value not in (None, [])}
    return ", ".join(f"{name.replace('_', ' ')} {_shown(value)}" for name, value in told.items())


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return f"({_fields(value)})"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _row(name: str, text: str) -> str:
    return f"{name:<11} {text}"
