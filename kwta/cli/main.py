"""`main(arguments)`: from the words of a command line to a command and its exit code."""

import io
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from kwta import __version__
from kwta.cli import console
from kwta.cli.console import Console
from kwta.cli.failures import FailedError, UsageError, lacks_memory
from kwta.cli.parser import PROGRAM, Parser, with_examples

# Each command is the module of its name in this package, which has DESCRIPTION, EXAMPLES, `arguments(parser)` and
# `run(arguments, console)`. It is imported only if it was chosen, so that `--help` need not wait for torch.
COMMANDS = {
    "train": "train a network, watch it learn, save it",
    "evaluate": "loss, accuracy and dead units of a saved network",
    "regions": "exact linear regions and jumps on a plane or along a line",
    "attack": "robust accuracy of a saved network, and whether its gradients hide the truth",
    "reproduce": "the origin's experiment on robustness, beside its table",
    "info": "what a saved network is and how it was trained",
}

DESCRIPTION = "Networks with the k-Winners-Take-All activation, on the command line."
EPILOG = f"""\
examples:
  {PROGRAM} train --data moons --widths 64,64 --gamma 0.2 --epochs 20 --out runs/moons
  {PROGRAM} evaluate runs/moons
  {PROGRAM} info runs/moons --json

Each command explains itself: {PROGRAM} train --help

Exit codes: 0 all went well; 1 it was tried and failed, as when training diverges, a file is damaged or a download
breaks off; 2 the command line asks for something that is not allowed or not there; 130 stopped with Ctrl+C.
A checkpoint is only ever replaced by a complete one; its spec.json is a copy of the spec for people to read."""

OK, FAILED, MISUSED, INTERRUPTED = 0, 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line, without the program's name, and return its exit code; None is that of this process."""
    if arguments is None:
        _replace_what_cannot_be_shown()
        arguments = sys.argv[1:]
    try:
        code = _outcome(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        _forget_output()
        return FAILED
    return code


def _outcome(arguments: Sequence[str]) -> int:
    """The exit code of a command; what went wrong is said in one line on stderr."""
    try:
        chosen = parser(arguments).parse_args(arguments)
        return chosen.run(chosen, Console(chosen.json, chosen.progress))
    except SystemExit as stop:  # argparse has said all: help, version, or what is wrong
        return int(stop.code or OK)
    except UsageError as problem:
        return _told(arguments, problem, MISUSED)
    except KeyboardInterrupt as stop:
        return _told(arguments, str(stop) or "interrupted", INTERRUPTED)
    except BrokenPipeError:
        raise
    except (FailedError, OSError) as problem:
        return _told(arguments, problem, FAILED)
    except (MemoryError, RuntimeError) as problem:
        if not lacks_memory(problem):
            raise
        return _told(arguments, "there is not enough memory for this network and these data", FAILED)


def parser(arguments: Sequence[str] = ()) -> Parser:
    """The parser of all commands, with the options of the one that the arguments choose."""
    top = Parser(PROGRAM, DESCRIPTION, EPILOG)
    top.add_argument("--version", action="version", version=f"kwta {__version__}")
    commands = top.add_subparsers(title="commands", metavar="COMMAND", dest="command", required=True)
    chosen = _chosen(arguments)
    for name, summary in COMMANDS.items():
        if name != chosen:
            commands.add_parser(name, help=summary)
            continue
        command = import_module(f"kwta.cli.{name}")
        texts = {"description": command.DESCRIPTION, "epilog": with_examples(command.EXAMPLES)}
        its = commands.add_parser(name, help=summary, **texts)
        command.arguments(its)
        console.arguments(its)
        its.set_defaults(run=command.run)
    return top


def _chosen(arguments: Sequence[str]) -> str | None:
    """The first word that is no option: none of the options before a command takes a value."""
    return next((word for word in arguments if not word.startswith("-")), None)


def _told(arguments: Sequence[str], problem: object, code: int) -> int:
    """Say on one line what is wrong."""
    print(f"{PROGRAM} {_chosen(arguments)}: {' '.join(str(problem).split())}", file=sys.stderr)
    return code


def _replace_what_cannot_be_shown() -> None:
    """A terminal without γ or ± shows a question mark instead, rather than ending the program."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _forget_output() -> None:
    """Nobody reads on, as after `| head`: keep the interpreter from failing when it closes stdout."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
