"""`info`: what a checkpoint says about itself."""

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from typing import Any

from kwta.cli import checkpoint, words
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
    seed = "given weights" if header["seed"] is None else f"seed {header['seed']}"
    yield _row("network", f"{words.sizes(spec)}, {seed}")
    yield _row("parameters", f"{spec.n_parameters:,}, {header['dtype']}")
    for row in layers:
        won = "ReLU" if row["gamma"] is None else f"{row['winners']:,} winners (γ = {row['gamma']})"
        yield _row(f"layer {row['layer']}", f"{row['units']:,} units, {won}")


def _training(record: dict[str, Any]) -> Iterator[str]:
    """The record in a few lines; whoever saved the network may have written another, which is shown as it is."""
    for name in ("data", "training"):
        if isinstance(entries := record.get(name), dict):
            kind = [str(entries["kind"])] if name == "data" and "kind" in entries else []
            yield _row(name, ", ".join(filter(None, (*kind, _fields(entries)))))
    epochs = record.get("epochs")
    if isinstance(epochs, list) and epochs and isinstance(epochs[-1], dict):
        yield _row("last epoch", _epoch(epochs[-1]))
    for name, value in record.items():
        if name not in ("data", "training", "epochs", "classes"):
            yield _row(name, _told(value))


def _told(value: object) -> str:
    """An entry of the record: its message if it has one, as the end of the training does."""
    if not isinstance(value, dict):
        return str(value)
    return str(value.get("message") or _fields(value))


def _epoch(entries: dict[str, Any]) -> str:
    """What the network was worth after an epoch, in a sentence; as it is where it is not what `train` writes."""
    try:
        accuracies = [f"{100 * entries[f'{part}_accuracy']:.2f} %" for part in ("train", "test")]
        losses = [f"{entries[part]:.4g}" for part in ("loss", "test_loss")]
        dead = " and ".join(map(str, entries["dead"])) or "no"
        number, seconds = int(entries["epoch"]), f"{entries['seconds']:.2f} s"
    except (KeyError, TypeError, ValueError):
        return _fields(entries)
    return (
        f"After epoch {number}, training accuracy was {accuracies[0]} (loss {losses[0]}) and test accuracy "
        f"{accuracies[1]} (loss {losses[1]}); {dead} hidden units were dead, and training had taken {seconds}."
    )


def _fields(entries: dict[str, Any]) -> str:
    """What a record says, without what it leaves open and without the kind, which its place tells."""
    told = {name: value for name, value in entries.items() if name != "kind" and value not in (None, [])}
    return ", ".join(f"{name.replace('_', ' ')} {_shown(value, name)}" for name, value in told.items())


def _shown(value: object, name: str = "") -> str:
    """A value in brief; a kind is told where it is not what the field is called."""
    if isinstance(value, dict):
        kind = str(value.get("kind", name))
        return f"({', '.join(filter(None, ('' if kind == name else kind, _fields(value))))})"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _row(name: str, text: str) -> str:
    return f"{name:<11} {text}"
