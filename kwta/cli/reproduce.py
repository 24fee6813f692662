"""`reproduce`: one line of the origin's table run again, beside the published ones."""

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import get_args

import torch

from kwta import devices
from kwta.attacks.adaptive import QUICK, SCHEDULE
from kwta.attacks.ensembles import FASTEST
from kwta.attacks.estimators import Schedule
from kwta.attacks.evaluate import Outcome, Progress, Robustness, evaluate
from kwta.cli import checkpoint, resumption, table, words
from kwta.cli.console import Console
from kwta.cli.epochs import followed
from kwta.cli.failures import FailedError, UsageError, misuse
from kwta.cli.options import data as data_options
from kwta.cli.parser import number, seed, whole
from kwta.cli.provenance import training_record
from kwta.datasets import Data, Images, Spec
from kwta.networks import Network, build
from kwta.networks.json_form import to_dict
from kwta.published import EXPERIMENT, origin_rows, radius
from kwta.reproduction import Reproduction, fitted
from kwta.reproduction.recipe import Network as NetworkName
from kwta.threats import EPS_CIFAR10
from kwta.training import Epoch, Stopped, Training, steps_per_epoch, train

DESCRIPTION = """\
Train ResNet-18 or AlexNet for 32×32 images as Costa and Antonini did (2020, after Xiao et al., ICLR 2020), attack it
with their PGD, whose step was relative to ε by mistake, the same PGD with an absolute step, their DeepFool and the
adaptive attack of Tramèr et al. (2020), and print the accuracies beside the published ones. With --out a run that was
broken off goes on after its last whole epoch when the same command is given again. The full run is for a GPU."""
EXAMPLES = (
    "reproduce --network resnet18 --data cifar10 --gamma 0.1 --out runs/resnet18-0.1",
    "reproduce --network alexnet --data svhn --relu --adaptive quick --json",
    "reproduce --network resnet18 --data digits --gamma 0.2 --width 2 --epochs 1 --subset 100 --images 10 "
    "--adaptive fastest",
)

SCHEDULES = {"full": SCHEDULE, "quick": QUICK, "fastest": FASTEST}
GAMMA = 0.1


def arguments(parser: ArgumentParser) -> None:
    """The options of `reproduce`."""
    data_options.arguments(parser, required=True)
    group = parser.add_argument_group("experiment", "Images are brought to 3×32×32 if they are smaller or grey.")
    add = group.add_argument
    add("--network", choices=get_args(NetworkName), required=True, help="which network")
    one = group.add_mutually_exclusive_group()
    one.add_argument("--gamma", type=number, default=GAMMA, metavar="G", help="the share of winners (default: 0.1)")
    one.add_argument("--relu", action="store_true", help="ReLU instead of k-WTA")
    one.add_argument("--anneal", action="store_true", help="γ from 0.2 to 0.1 by 0.005 every two epochs")
    add("--epochs", type=whole, default=Reproduction.epochs, metavar="E", help="of training (default: %(default)s)")
    add("--batch", type=whole, default=Reproduction.batch, metavar="N", help="images per step (default: %(default)s)")
    add("--width", type=whole, default=Reproduction.width, metavar="N", help="of the network (default: %(default)s)")
    add("--subset", type=whole, metavar="N", help="train on the first N images of the training set (default: all)")
    add("--images", type=whole, default=EXPERIMENT.images, metavar="N", help="attacked (default: %(default)s)")
    eps = f"radius of the ball in L-infinity (default: as published for the data set, else {EPS_CIFAR10})"
    add("--eps", type=number, metavar="E", help=eps)
    passes_of = ", ".join(f"{name} {passes(schedule):,}" for name, schedule in SCHEDULES.items())
    adaptive = f"forward passes per image of the adaptive attack: {passes_of}; full as published (default: %(default)s)"
    add("--adaptive", choices=tuple(SCHEDULES), default="full", help=adaptive)
    add("--seed", type=seed, default=0, metavar="S", help="of weights, training and attacks (default: %(default)s)")
    add("--device", default="auto", metavar="D", help="auto, cpu, cuda or mps (default: %(default)s)")
    parser.add_argument("--out", metavar="FOLDER", help="save the network here, and the state of the run on its way")


def passes(schedule: Schedule) -> int:
    """Forward passes that the gradients of a whole schedule take.

    >>> [passes(schedule) for schedule in SCHEDULES.values()]
    [1222000, 50000, 4000]
    """
    return sum(steps * samples for steps, samples in schedule)


def run(arguments: Namespace, console: Console) -> int:
    """Train or go on with it, save, attack, print the table."""
    with misuse():
        device = devices.pick(arguments.device)
    chosen = data_options.spec(arguments)
    plan = _plan(arguments, chosen)
    if arguments.out is not None:
        checkpoint.check_target(arguments.out)
    data = _data(arguments, chosen, console)
    with misuse():
        net = build(plan.spec(data), plan.seed)
    epochs, stopped = _trained(net, data, plan, device, arguments.out, console)
    record = training_record(data, plan.training, device, epochs, stopped)
    if arguments.out is not None:
        checkpoint.write(net, arguments.out, {**record, "reproduction": asdict(plan)})
        console.report(f"Saved in {arguments.out}.")
    found = _attacked(net, data, plan, device, console)
    rows = origin_rows(plan.network, _name(chosen))
    for line in table.lines(plan, found, rows, _name(chosen)):
        console.say(line)
    console.document(
        {
            "reproduction": asdict(plan),
            "network": to_dict(plan.spec(data)),
            "parameters": plan.spec(data).n_parameters,
            **record,
            "test_accuracy": epochs[-1].test_accuracy,
            **table.document(found),
            "published": [asdict(row) for row in rows],
            "checkpoint": arguments.out,
        }
    )
    if arguments.out is not None:
        resumption.forget(arguments.out)
    return 0


def _plan(arguments: Namespace, data: Spec) -> Reproduction:
    eps = radius(_name(data)) or EPS_CIFAR10 if arguments.eps is None else arguments.eps
    with misuse():
        return Reproduction(
            arguments.network,
            None if arguments.relu else arguments.gamma,
            arguments.anneal,
            eps,
            arguments.epochs,
            arguments.batch,
            arguments.images,
            arguments.width,
            SCHEDULES[arguments.adaptive],
            arguments.seed,
        )


def _name(data: Spec) -> str:
    """What the published table calls a data set, or what kind it is."""
    return data.name if isinstance(data, Images) else data.kind


def _data(arguments: Namespace, spec: Spec, console: Console) -> Data:
    """The data as the network takes them, the training set cut to the subset."""
    data = data_options.loaded(spec, console)
    with misuse():
        data = fitted(data)
        if arguments.subset is None:
            return data
        if not 2 <= arguments.subset <= len(data.x_train):
            raise UsageError(f"--subset must lie in 2..{len(data.x_train)}, got {arguments.subset}")
        x, labels = data.x_train[: arguments.subset], data.labels_train[: arguments.subset]
        return Data(data.spec, x, labels, data.x_test, data.labels_test, data.classes, data.box)


def _trained(
    net: Network, data: Data, plan: Reproduction, device: torch.device, out: str | None, console: Console
) -> tuple[list[Epoch], Stopped]:
    """All epochs of the training, those before an interruption included."""
    state = resumption.kept(out)
    training = plan.training
    with misuse():
        records = train(net, data, training, device=str(device), resume=state, keep=resumption.keeper(out))
    before = [] if state is None else list(state.epochs)
    console.note(f"{words.network(plan.spec(data))}; {len(data.x_train):,} images, on {devices.describe(device)}.")
    if before:
        console.note(f"Going on after epoch {before[-1].epoch} of {training.epochs}.")
    with _told(out):
        epochs, stopped = followed(records, console, _steps_left(data, training, before))
    console.report(stopped.message)
    if stopped.reason == "diverged":
        raise FailedError("nothing was attacked")
    return before + epochs, stopped


def _steps_left(data: Data, training: Training, before: list[Epoch]) -> int:
    done = before[-1].epoch if before else 0
    return (training.epochs - done) * steps_per_epoch(len(data.x_train), training.batch)


@contextmanager
def _told(out: str | None) -> Iterator[None]:
    """Ctrl+C says what can be done about it."""
    try:
        yield
    except KeyboardInterrupt as stop:
        more = "the same command goes on after the last whole epoch" if out else "nothing was saved"
        raise KeyboardInterrupt(f"interrupted; {more}") from stop


def _attacked(net: Network, data: Data, plan: Reproduction, device: torch.device, console: Console) -> Robustness:
    """Each attack on the same images; a line for each that is over."""
    x, labels = plan.chosen(data)
    records = evaluate(net.eval(), x.to(device), labels.to(device), plan.threat(data), plan.attacks, seed=plan.seed)
    done = 0
    with _told_attacking(), console.bar(len(x) * len(plan.attacks), " images") as bar:
        for record in records:
            match record:
                case Progress():
                    total = record.index * record.n + record.done
                    bar.update(total - done)
                    done = total
                case Outcome():
                    console.note(f"{record.name}: {record.seconds:.1f} s")
                case Robustness():
                    return record
    raise AssertionError("an evaluation ends with a record of kind Robustness")


@contextmanager
def _told_attacking() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt as stop:
        raise KeyboardInterrupt("interrupted while attacking") from stop
