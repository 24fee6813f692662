"""--epochs, --optimiser, --learning-rate and their like, as a `Training`."""

from argparse import ArgumentParser, Namespace
from typing import get_args

from kwta.cli.failures import UsageError, misuse
from kwta.cli.options import adversarial, network
from kwta.cli.parser import number, rate_step, seed, whole
from kwta.training import Annealing, Augmentation, Training
from kwta.training.spec import Optimiser

# Adam's steps have about the size of the rate: its authors' default, where SGD takes a tenth.
RATES = {"sgd": Training.learning_rate, "adam": 0.001}


def arguments(parser: ArgumentParser) -> None:
    """How the network is trained."""
    group = parser.add_argument_group("training")
    add, default = group.add_argument, "(default: %(default)s)"
    add("--epochs", type=whole, default=Training.epochs, metavar="E", help=f"passes over the training data {default}")
    add("--seed", type=seed, default=Training.seed, metavar="S", help=f"of weights and order of examples {default}")
    add("--batch", type=whole, default=Training.batch, metavar="N", help=f"examples per step {default}")
    add("--optimiser", choices=get_args(Optimiser), default=Training.optimiser, help=f"the method {default}")
    rates = ", ".join(f"{rate} for {name}" for name, rate in RATES.items())
    add("--learning-rate", type=number, metavar="R", help=f"at the start (default: {rates})")
    add("--momentum", type=number, metavar="M", help=f"of sgd (default: {Training.momentum})")
    add("--weight-decay", type=number, default=Training.weight_decay, metavar="L", help=f"L2 penalty {default}")
    again = "learning rate from the start of an epoch on, counted from 1; may be given several times"
    add("--rate-step", type=rate_step, action="append", default=[], metavar="EPOCH:RATE", help=again)
    add("--clip", type=number, metavar="C", help="largest L2 norm of the gradient (default: no clipping)")
    add("--patience", type=whole, metavar="E", help="stop after E epochs without a lower loss (default: never)")
    add("--augment", action="store_true", help="images: crop at random after 4 pixels of padding, mirror one in two")
    add(
        "--device",
        default="auto",
        metavar="D",
        help="auto, cpu, cuda or mps; auto is KWTA_DEVICE or the best (default: %(default)s)",
    )
    adversarial.arguments(parser)


def spec(arguments: Namespace) -> Training:
    """The training that was asked for. Raises UsageError for values that are not allowed."""
    if arguments.momentum is not None and arguments.optimiser != "sgd":
        raise UsageError(f"--momentum is for sgd; --optimiser is {arguments.optimiser}")
    with misuse():
        return Training(
            arguments.epochs,
            arguments.batch,
            arguments.optimiser,
            RATES[arguments.optimiser] if arguments.learning_rate is None else arguments.learning_rate,
            Training.momentum if arguments.momentum is None else arguments.momentum,
            arguments.weight_decay,
            tuple(arguments.rate_step),
            arguments.clip,
            network.schedule(arguments),
            arguments.patience,
            arguments.seed,
            Augmentation() if arguments.augment else None,
            adversarial.spec(arguments),
        )


def surprises(training: Training) -> list[str]:
    """Sentences on what was asked for and will not happen in these epochs."""
    found = [
        f"The learning rate {rate:g} from epoch {epoch} on is never used: there are {training.epochs} epochs."
        for epoch, rate in training.rate_steps
        if epoch > training.epochs
    ]
    course = training.gamma
    if isinstance(course, Annealing) and (last := course.at(training.epochs)) > course.end:
        found.append(f"γ ends at {last:g} and not at {course.end:g}: {training.epochs} epochs are too few.")
    return found
