"""`train`: a network learns a data set, and is saved with the record of how."""

from argparse import ArgumentParser, Namespace
from typing import Any

import torch

from kwta import devices
from kwta.attacks.training import objective
from kwta.cli import checkpoint, threads, words
from kwta.cli.console import Console
from kwta.cli.epochs import followed
from kwta.cli.failures import FailedError, misuse
from kwta.cli.options import data as data_options
from kwta.cli.options import network as network_options
from kwta.cli.options import training as training_options
from kwta.cli.provenance import training_record
from kwta.datasets import Data
from kwta.networks import Network, build
from kwta.networks.json_form import to_dict
from kwta.training import Stopped, Training, steps_per_epoch, train

DESCRIPTION = """\
Train a network from scratch and, with --out, save it: its weights and a record of the data, the training and every
epoch. The same command gives the same weights, to the last bit, on the same device with the same number of threads."""
EXAMPLES = (
    "train --data moons --widths 64,64 --gamma 0.2 --epochs 20 --out runs/moons",
    "train --data digits --gamma 0.2,0.1 --seed 1 --out runs/digits",
    "train --data digits --relu --optimiser adam --epochs 10 --json",
    "train --data digits --anneal paper --epochs 41 --rate-step 30:0.01 --clip 1 --out runs/annealed",
    "train --data mnist --train-size 1000 --test-size 500 --conv 4,8 --gamma 0.1 --epochs 2 --out runs/mnist",
    "train --data digits --widths 64,64 --adversarial trades --eps 0.1 --attack-steps 5 --epochs 3 --out runs/trades",
    "train --data my_points.csv --widths 32,32 --patience 5 --out runs/mine",
)


def arguments(parser: ArgumentParser) -> None:
    """The options of `train`."""
    data_options.arguments(parser, required=True)
    network_options.arguments(parser)
    training_options.arguments(parser)
    parser.add_argument("--out", metavar="FOLDER", help="save the network here; a checkpoint in it is replaced")


def run(arguments: Namespace, console: Console) -> int:
    """Train, tell each epoch, save. Raises FailedError, and saves nothing, if training diverges."""
    with misuse():
        device = devices.pick(arguments.device)
    spec, plan = data_options.spec(arguments), training_options.spec(arguments)
    if arguments.out is not None:
        checkpoint.check_target(arguments.out)
    data = data_options.loaded(spec, console)
    net = build(network_options.spec(arguments, data), arguments.seed)
    with misuse():
        records = train(net, data, plan, device=str(device), objective=objective(plan.adversarial, data.box))
    with threads.few(net):
        for sentence in (_described(net, data, device), *training_options.surprises(plan)):
            console.note(sentence)
        try:
            epochs, stopped = followed(records, console, _n_steps(data, plan))
        except KeyboardInterrupt as stop:
            raise KeyboardInterrupt(f"interrupted; {_unsaved(arguments.out)}") from stop
        record = training_record(data, plan, device, epochs, stopped)
    console.report(stopped.message)
    _end(net, record, stopped, arguments.out, console)
    return 0


def _n_steps(data: Data, plan: Training) -> int:
    """Steps of the optimiser in all."""
    per_batch = 1 if plan.adversarial is None else plan.adversarial.steps_per_batch
    return plan.epochs * per_batch * steps_per_epoch(len(data.x_train), plan.batch)


def _end(net: Network, record: dict[str, Any], stopped: Stopped, out: str | None, console: Console) -> None:
    """Save what there is to save, and print the document."""
    trained = stopped.reason != "diverged"
    if out is not None and trained:
        checkpoint.write(net, out, record)
        console.report(f"Saved in {out}.")
    assert net.spec is not None
    own = {"network": to_dict(net.spec), "parameters": net.spec.n_parameters, "seed": net.seed}
    console.document({**own, **record, "checkpoint": out if trained else None})
    if not trained:
        raise FailedError(_unsaved(out))


def _described(net: Network, data: Data, device: torch.device) -> str:
    """What is about to be trained, in a line."""
    assert net.spec is not None
    examples = f"{len(data.x_train):,} examples, tested on {len(data.x_test):,}"
    network = f"{words.network(net.spec)}, {net.spec.n_parameters:,} parameters, seed {net.seed}"
    return f"{network}; {examples}, on {devices.describe(device)}."


def _unsaved(out: str | None) -> str:
    kept = out is not None and checkpoint.is_there(out)
    return f"nothing was saved{f', {out} keeps the checkpoint it had' if kept else ''}"
