"""--adversarial and what belongs to it, as an `Adversarial`."""

from argparse import ArgumentParser, Namespace
from typing import get_args

from kwta.cli.failures import UsageError, misuse
from kwta.cli.parser import number, whole
from kwta.threats import Norm
from kwta.training import Adversarial
from kwta.training.adversarial import Method

# Which options belong to which methods, beside --eps, --norm and --attack-step, which all have.
OWN = {"attack_steps": ("madry", "trades"), "beta": ("trades",), "replays": ("free",)}
FIELDS = {
    "eps": "eps",
    "norm": "norm",
    "attack_step": "step",
    "attack_steps": "steps",
    "beta": "beta",
    "replays": "replays",
}


def arguments(parser: ArgumentParser) -> None:
    """Against which attacker the network is trained."""
    group = parser.add_argument_group("adversarial training", "Sizes are in the units of the inputs.")
    add = group.add_argument
    add(
        "--adversarial",
        choices=get_args(Method),
        help="madry: on what PGD finds; trades: also on the clean inputs; free: replayed batches (default: none)",
    )
    add("--eps", type=number, metavar="E", help="radius of the ball that the attacker may use; required with it")
    add("--norm", choices=get_args(Norm), help=f"of the ball (default: {Adversarial.norm})")
    add("--attack-steps", type=whole, metavar="N", help=f"of madry and trades (default: {Adversarial.steps})")
    add("--attack-step", type=number, metavar="S", help="size of a step (default: 2.5 eps/steps; free: eps)")
    add("--beta", type=number, metavar="B", help=f"weight of the divergence in trades (default: {Adversarial.beta:g})")
    add("--replays", type=whole, metavar="N", help=f"steps per batch of free (default: {Adversarial.replays})")


def spec(arguments: Namespace) -> Adversarial | None:
    """The attacker that was asked for. Raises UsageError for options without --adversarial or of another method."""
    method = arguments.adversarial
    given = {name: getattr(arguments, name) for name in FIELDS if getattr(arguments, name) is not None}
    for name in given:
        flag = f"--{name.replace('_', '-')}"
        if method is None:
            raise UsageError(f"{flag} needs --adversarial")
        if method not in OWN.get(name, (method,)):
            raise UsageError(f"{flag} is for {' and '.join(OWN[name])}; --adversarial is {method}")
    if method is None:
        return None
    if "eps" not in given:
        raise UsageError(f"--adversarial {method} needs --eps, the radius of its ball")
    with misuse():
        return Adversarial(method, **{FIELDS[name]: value for name, value in given.items()})
