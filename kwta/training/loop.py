"""The training loop, a generator: whoever asks for the next record sets the pace, and may stop asking."""

from collections.abc import Callable, Iterator
from math import isfinite

import torch
from torch import nn

from kwta import devices
from kwta.datasets import Data
from kwta.networks import set_gamma
from kwta.training.measure import in_evaluation_mode
from kwta.training.objective import Attack, Objective, attacked, standard
from kwta.training.records import Record, Step
from kwta.training.run import Clock, Run
from kwta.training.spec import Training
from kwta.training.state import State


def train(
    net: nn.Module,
    data: Data,
    spec: Training,
    attack: Attack | None = None,
    device: str = "auto",
    objective: Objective | None = None,
    resume: State | None = None,
    keep: Callable[[State], object] | None = None,
) -> Iterator[Record]:
    """Minimise the objective of net on data as `spec` says, in place; yield a record per step and per epoch.

    The first record is `Epoch` 0, the network before training; the last is `Stopped`. The network is changed only while
    a record is asked for, so that a reader may pause, look at the weights, or leave. It stays on the device chosen.

    objective: what is minimised, by default the cross-entropy. An `Adversarial` in the spec needs the objective that
    `kwta.attacks.training.objective` makes of it. attack: an own way to make training adversarial; its inputs replace
    each batch, and it meets the network in evaluation mode.

    keep: called at the end of each epoch with the run's `State`. resume: one of these; the run goes on after its epoch,
    to the weights of an unbroken run. Only the perturbation that "free" training carries along starts anew.

    On the CPU the same network, data and spec give the same weights, bit by bit, however many others train at the same
    time, as long as torch's number of threads is the same. On a GPU that holds as far as its kernels are deterministic.

    Raises ValueError, before the first record, if network and data do not fit, no unit of a layer would win, or the
    spec says more than the other arguments do.
    """
    where = devices.pick(device)
    net.to(where)
    _check_fit(net, data, where)
    _check_objective(spec, data, attack, objective)
    if spec.gamma is not None:
        for gamma in {spec.gamma_at(1), spec.gamma_at(spec.epochs)} - {None}:
            set_gamma(net, gamma)  # refuses a γ that leaves no winner
    run = Run(net, data, spec, objective or (attacked(attack) if attack else standard), where)
    if resume is not None:
        run.go_on(resume)
    return _paced(run, keep)


def _check_fit(net: nn.Module, data: Data, device: torch.device) -> None:
    """Raises ValueError where the network does not take the data's inputs or has another number of classes."""
    example = torch.tensor(data.x_train[:1], device=device)
    try:
        with torch.no_grad(), in_evaluation_mode(net):
            shape = tuple(net(example).shape)
    except RuntimeError as error:
        raise ValueError(f"the network does not take inputs of shape {data.shape}: {error}") from error
    if shape != (1, data.n_classes):
        raise ValueError(f"the data have {data.n_classes} classes, but one input gives an output of shape {shape}")


def _check_objective(spec: Training, data: Data, attack: Attack | None, objective: Objective | None) -> None:
    if attack is not None and objective is not None:
        raise ValueError("training takes an attack or an objective, not both: an objective makes its own attack")
    if spec.adversarial is not None and objective is None:
        raise ValueError(
            f"this training is adversarial ({spec.adversarial.kind}): pass the objective that "
            "kwta.attacks.training.objective makes of it"
        )
    if spec.augmentation is not None and len(data.shape) != 3:
        raise ValueError(f"only images can be shifted and mirrored; the inputs have shape {data.shape}")


def _paced(run: Run, keep: Callable[[State], object] | None) -> Iterator[Record]:
    """The records of a run, with the clock held between them."""
    run.clock = Clock(run.clock.before)
    for record in _records(run, keep):
        run.clock.hold()
        yield record
        run.clock.go_on()


def _records(run: Run, keep: Callable[[State], object] | None) -> Iterator[Record]:
    """All records of a run; the clock runs throughout."""
    spec = run.spec
    if run.epoch < 0:
        run.enter(1)
        yield run.close(0, [])
    while run.epoch < spec.epochs and not run.is_stuck:
        epoch, losses = run.epoch + 1, []
        run.enter(epoch)
        for chosen in run.batches():
            for step in run.advance(epoch, chosen):
                yield step
                if not (isfinite(step.loss) and isfinite(step.gradient_norm)):
                    yield run.stopped("diverged", _diverged(step, spec.rate_at(epoch)), epoch)
                    return
                losses.append(step.loss)
        record = run.close(epoch, losses)
        if keep is not None:
            keep(run.state())
        yield record
    if run.is_stuck:
        message = f"Stopped early: the training loss has not fallen below {run.best:.4g} for {run.idle} epochs."
        yield run.stopped("no progress", message, run.epoch)
    else:
        yield run.stopped("finished", f"Finished: {spec.epochs} epochs, {run.step} steps.", spec.epochs)


def _diverged(step: Step, rate: float) -> str:
    what = "loss" if not isfinite(step.loss) else "gradient"
    return (
        f"Training diverged: the {what} was no finite number at step {step.step} (epoch {step.epoch}, learning rate "
        f"{rate:g}). The weights are those before that step. A lower learning rate or gradient clipping helps."
    )
