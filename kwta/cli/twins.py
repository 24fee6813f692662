"""The network that a transfer attack comes from: the same one with ReLU."""

from argparse import Namespace
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from kwta.cli import checkpoint
from kwta.cli.console import Console
from kwta.cli.failures import UsageError
from kwta.datasets import from_record, load
from kwta.networks import Network, build, gammas_of
from kwta.training import Epoch, Step, Stopped, Training, steps_per_epoch, train


def found(arguments: Namespace, net: Network, console: Console) -> Network | None:
    """The twin that was named, or else one trained as the record says; none, with a note, where it says too little."""
    if arguments.no_twin:
        return None
    if arguments.twin is not None:
        return _named(arguments.twin, net)
    try:
        return _trained(net, console)
    except (ValueError, TypeError, KeyError, OSError) as reason:
        console.note(f"No twin to transfer from ({reason}); name one with --twin.")
        return None


def _named(folder: str, net: Network) -> Network:
    twin = checkpoint.network(folder)
    assert twin.spec is not None
    assert net.spec is not None
    if (twin.spec.outputs, twin.spec.input_shape) != (net.spec.outputs, net.spec.input_shape):
        raise UsageError(f"the twin {folder} takes other inputs or has other classes than the network that is attacked")
    return twin


def _trained(net: Network, console: Console) -> Network:
    """The checkpoint's spec with ReLU in place of k-WTA, trained by its recipe.

    It begins with the same weights; of a ReLU network that would be the network itself, so there the seed is the next.
    Adversarial training is left out: the twin stands for what an attacker has at hand. Raises ValueError, KeyError or
    TypeError for a record that is none of ours.
    """
    record = net.record or {}
    if not (isinstance(record.get("data"), dict) and isinstance(record.get("training"), dict)):
        raise ValueError("the checkpoint does not say how it was trained")
    plan, data = _plan(record["training"]), load(from_record(record["data"]))
    assert net.spec is not None
    first = net.seed or 0
    chosen = first if any(gamma is not None for gamma in gammas_of(net)) else first + 1
    twin = build(replace(net.spec, gamma=None), chosen)
    console.note(f"Training a ReLU twin to transfer from, seed {chosen}.")
    with console.bar(plan.epochs * steps_per_epoch(len(data.x_train), plan.batch), " steps") as bar:
        for step in train(twin, data, plan, device="cpu"):
            match step:
                case Step():
                    bar.update()
                case Stopped(reason="diverged"):
                    raise ValueError("the training of the ReLU twin diverged")
                case Epoch() | Stopped():
                    pass
    return twin.eval()


def _plan(record: Mapping[str, Any]) -> Training:
    """The recipe without what only k-WTA or adversarial training has."""
    left_out = {"gamma", "adversarial", "kind"}
    known = {field.name for field in fields(Training)} - left_out
    values = {name: value for name, value in record.items() if name in known}
    values["rate_steps"] = tuple((int(epoch), float(rate)) for epoch, rate in values.get("rate_steps", ()))
    return Training(**values)
