"""Training told epoch by epoch, as `train` and `reproduce` do it."""

from collections.abc import Iterator

from kwta.cli.console import Console
from kwta.training import Epoch, Record, Step, Stopped

HEADER = f"{'epoch':>5} {'loss':>9} {'train':>8} {'test':>8} {'γ':>14} {'dead':>9} {'seconds':>8}"


def followed(records: Iterator[Record], console: Console, n_steps: int) -> tuple[list[Epoch], Stopped]:
    """Draw all records while they come; the epochs and the last one."""
    epochs: list[Epoch] = []
    console.report(HEADER)
    with console.bar(n_steps, " steps") as bar:
        for record in records:
            match record:
                case Step():
                    bar.update()
                case Epoch():
                    epochs.append(record)
                    console.report(_line(record))
                case Stopped():
                    return epochs, record
    raise AssertionError("training ends with a record of kind Stopped")


def _line(epoch: Epoch) -> str:
    accuracies = f"{100 * epoch.train_accuracy:>6.2f} % {100 * epoch.test_accuracy:>6.2f} %"
    return (
        f"{epoch.epoch:>5} {epoch.loss:>9.4f} {accuracies} {_ratios(epoch):>14} {_dead(epoch):>9} {epoch.seconds:>8.2f}"
    )


def _ratios(epoch: Epoch) -> str:
    """γ of the layers; once where they all have the same."""
    names = ["ReLU" if gamma is None else str(gamma) for gamma in epoch.gammas]
    return names[0] if len(set(names)) == 1 else ",".join(names)


def _dead(epoch: Epoch) -> str:
    """Dead units of each layer; of a deep network their sum."""
    return ",".join(map(str, epoch.dead)) if len(epoch.dead) <= 4 else f"{sum(epoch.dead):,}"
