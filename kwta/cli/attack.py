"""`attack`: how robust a saved network is, and whether its gradients hide that it is not."""

import time
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from dataclasses import asdict
from math import prod
from typing import Any, get_args

import torch

from kwta import devices
from kwta.attacks.case import follows_gradients
from kwta.attacks.ensembles import Spec, quick, standard
from kwta.attacks.evaluate import NO_TIME, Budget, evaluate, names
from kwta.attacks.foreign import CarliniWagner, DeepFool
from kwta.attacks.gradient import mim
from kwta.attacks.masking import Masking, diagnose
from kwta.attacks.noise import Noise
from kwta.attacks.outcomes import Outcome, Progress, Robustness, Skipped
from kwta.attacks.search import RandomSearch
from kwta.cli import checkpoint, threads, twins
from kwta.cli.console import Console
from kwta.cli.evaluate import data_spec
from kwta.cli.failures import UsageError, misuse
from kwta.cli.options import data as data_options
from kwta.cli.options import network as network_options
from kwta.cli.parser import number, seed, whole
from kwta.datasets import Data
from kwta.networks import Network, gammas_of
from kwta.threats import Norm, Threat

DESCRIPTION = """\
Robust accuracy of a saved network: the share of the first test images that stay right whatever an attack does within
distance ε and the data box. One step, noise, PGD, PGD on surrogate gradients, transfer from a ReLU twin, Square,
HopSkipJump and the adaptive attack propose, an independent judge decides, and the worst case per image counts, with
Wilson 95 % intervals. The verdict says whether gradients mislead the attacks that follow them, with the evidence."""
EXAMPLES = (
    "attack runs/digits --eps 0.1",
    "attack runs/digits --eps 1 --norm l2 --images 100 --json",
    "attack runs/mnist --eps 0.1 --twin runs/mnist-relu --attacks pgd,square,adaptive",
)
IMAGES = 200


def arguments(parser: ArgumentParser) -> None:
    """The options of `attack`."""
    parser.add_argument("checkpoint", metavar="CHECKPOINT", help="a folder that train --out has made")
    threat = parser.add_argument_group("threat")
    threat.add_argument("--eps", type=number, required=True, metavar="E", help="radius, in the units of the data")
    threat.add_argument(
        "--norm", choices=get_args(Norm), default=Threat.norm, help="of the ball (default: %(default)s)"
    )
    group = parser.add_argument_group("attacks")
    add = group.add_argument
    add("--images", type=whole, default=IMAGES, metavar="N", help="the first N test images (default: %(default)s)")
    add("--attacks", type=chosen, metavar="A,A", help=f"some of {', '.join(_known())} (default: the first nine)")
    add("--thorough", action="store_true", help="many times the queries and restarts: minutes to hours")
    add("--twin", metavar="CHECKPOINT", help="the network to transfer from (default: a ReLU twin is trained)")
    add("--no-twin", action="store_true", help="leave the transfer attack out")
    add(
        "--seconds",
        type=number,
        metavar="S",
        help="begin no further 25 images with an attack after S seconds (default: no limit)",
    )
    queries = (
        "at most Q forward passes per image in each attack; longer ones are shortened, or left out (default: no limit)"
    )
    add("--queries", type=whole, metavar="Q", help=queries)
    add("--seed", type=seed, default=0, metavar="S", help="of all random numbers (default: %(default)s)")
    add("--device", default="auto", metavar="D", help="auto, cpu, cuda or mps (default: %(default)s)")
    data_options.arguments(parser, required=False, otherwise=" (default: what the checkpoint was trained on)")


def chosen(text: str) -> tuple[str, ...]:
    """Names of attacks.

    >>> chosen("pgd,square")
    ('pgd', 'square')
    """
    wanted = tuple(dict.fromkeys(part.strip() for part in text.split(",")))
    for name in wanted:
        if name not in _known():
            raise ArgumentTypeError(
                f"must be some of {', '.join(_known())}, commas and no spaces between, got {text!r}"
            )
    return wanted


def catalogue(threat: Threat, d: int, thorough: bool) -> dict[str, Spec]:
    """All attacks that can be named: the ensemble first, then those beside it."""
    ensemble = (standard if thorough else quick)(threat, d)
    queries = 5000 if thorough else 1000
    beside = (mim(threat.eps / 10), DeepFool(), CarliniWagner(), RandomSearch(queries), Noise(law="gaussian"))
    attacks = (*ensemble, *beside)
    return dict(zip(names(attacks), attacks, strict=True))


def run(arguments: Namespace, console: Console) -> int:
    """Attack, judge, say what stands."""
    net = checkpoint.network(arguments.checkpoint)
    with misuse():
        device = devices.pick(arguments.device)
    budget = _budget(arguments)
    data = data_options.loaded(data_spec(arguments, net), console)
    network_options.check_fit(net.spec, data)
    threat, attacks = _asked(arguments, data)
    x, labels = _images(data, arguments.images, console)
    twin = twins.found(arguments, net, console) if "transfer" in names(attacks) else None
    if twin is None and set(names(attacks)) == {"transfer"}:
        raise UsageError("no attack is left: transfer, the only one asked for, needs a twin")
    net, twin, x, labels = net.to(device), twin and twin.to(device), x.to(device), labels.to(device)
    with threads.few(net):
        start = time.perf_counter()
        with misuse():
            records = evaluate(net, x, labels, threat, attacks, arguments.seed, twin, budget)
        found = _followed(records, console, len(x))
        masking = _masking(net, x, labels, found, console, _left(arguments.seconds, time.perf_counter() - start))
    own = {"checkpoint": arguments.checkpoint, "data": asdict(data.spec), "gammas": gammas_of(net)}
    console.document({**own, "device": devices.describe(device), **_document(found, masking)})
    return 0


def _budget(arguments: Namespace) -> Budget:
    """Raises UsageError where nothing could be spent."""
    seconds, queries = arguments.seconds, arguments.queries
    if seconds is not None and not seconds > 0:
        raise UsageError(f"--seconds must be positive, got {seconds:g}")
    if queries is not None and queries < 1:
        raise UsageError(f"--queries must be at least 1, got {queries}")
    return Budget(seconds, queries)


def _known() -> tuple[str, ...]:
    return tuple(catalogue(Threat(1.0), 1, thorough=False))


def _asked(arguments: Namespace, data: Data) -> tuple[Threat, tuple[Spec, ...]]:
    """The threat and the attacks. Raises UsageError for a radius that leaves nothing to do."""
    if arguments.eps <= 0:
        raise UsageError(f"--eps must be positive, got {arguments.eps:g}")
    with misuse():
        threat = Threat(arguments.eps, arguments.norm, *data.box)
    known = catalogue(threat, prod(data.shape), arguments.thorough)
    ensemble = (standard if arguments.thorough else quick)(threat, prod(data.shape))
    return threat, ensemble if arguments.attacks is None else tuple(known[name] for name in arguments.attacks)


def _images(data: Data, n: int, console: Console) -> tuple[torch.Tensor, torch.Tensor]:
    """The first n test images, or all of fewer."""
    if n < 1:
        raise UsageError(f"--images must be at least 1, got {n}")
    if n > len(data.x_test):
        console.note(f"The data have {len(data.x_test):,} test images, fewer than {n:,}: all are attacked.")
    return torch.tensor(data.x_test[:n]), torch.tensor(data.labels_test[:n])


def _followed(records: Any, console: Console, n: int) -> Robustness:
    """Tell each outcome while it comes; the last record."""
    console.report(f"{'attack':<18} {'robust accuracy':>16}  {'95 % interval':>16} {'queries':>9} {'seconds':>8}")
    with console.bar(n, " images") as bar:
        for record in records:
            match record:
                case Progress():
                    bar.set_description(f"{record.name} ({record.index + 1} of {record.attacks})")
                    bar.n = record.done
                    bar.refresh()
                case Outcome():
                    passes = f"{record.mean_queries:>9,.0f} {record.seconds:>8.2f}"
                    console.report(f"{_row(record.name, record.robust_accuracy, record.interval)} {passes}")
                case Skipped():
                    console.report(f"{record.name:<18} left out: {record.reason}")
                case Robustness():
                    console.report(_row("worst case", record.worst_case, record.worst_interval))
                    console.report(_row("without attack", record.accuracy, record.interval))
                    return record
    raise AssertionError("an evaluation ends with a Robustness")


def _row(name: str, share: float, interval: tuple[float, float]) -> str:
    low, high = (100 * bound for bound in interval)
    return f"{name:<18} {100 * share:>14.2f} %  {low:>6.2f}–{high:>6.2f} %"


def _left(seconds: float | None, spent: float) -> float | None:
    """What is left of the seconds; None is no limit."""
    return None if seconds is None else max(0.0, seconds - spent)


def _masking(
    net: Network, x: torch.Tensor, labels: torch.Tensor, found: Robustness, console: Console, seconds: float | None
) -> Masking | None:
    """The verdict within these seconds; none without an attack that follows gradients."""
    if not any(follows_gradients(outcome) for outcome in found.attacks):
        console.note("No verdict on masking: it compares the other attacks with pgd, which was not run.")
        return None
    *_, masking = diagnose(net, x, labels, found, seconds)
    assert isinstance(masking, Masking)
    console.report(f"Verdict: {masking.verdict}")
    for sign in masking.evidence:
        console.report(f"  {'sign of masking' if sign.speaks else 'no sign':<15}  {sign.sentence}")
    for name in masking.left_out:
        console.report(f"  {'left out':<15}  {name}: {NO_TIME}.")
    return masking


def _document(found: Robustness, masking: Masking | None) -> dict[str, Any]:
    """For programs."""
    return {
        "threat": asdict(found.threat),
        "seed": found.seed,
        "images": found.n,
        "accuracy": found.accuracy,
        "interval": found.interval,
        "attacks": {
            outcome.name: {
                "robust_accuracy": outcome.robust_accuracy,
                "interval": outcome.interval,
                "queries": outcome.mean_queries,
                "backwards": outcome.mean_backwards,
                "seconds": outcome.seconds,
                "spec": asdict(outcome.spec),
            }
            for outcome in found.attacks
        },
        "skipped": {skipped.name: skipped.reason for skipped in found.skipped},
        "worst_case": found.worst_case,
        "worst_interval": found.worst_interval,
        "verdict": None if masking is None else masking.verdict,
        "evidence": [] if masking is None else [asdict(sign) for sign in masking.evidence],
        "left_out": [] if masking is None else list(masking.left_out),
    }
