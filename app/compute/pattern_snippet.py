"""Python lines that compute the same patterns; they run as they stand."""

from app.compute import data
from app.compute.inputs import DARKEST, found, levels
from app.compute.patterns import Question
from app.compute.trained import Which
from kwta.datasets import Data


def snippet(which: Which, question: Question) -> str:
    """From the data to the printed numbers of every layer."""
    recipe = which.recipe
    known = data.data(recipe.data)
    is_alone = question.compare == "alone"
    lines = [
        *_imports(which, question, known),
        f"data = load({known.spec!r})",
        f"net = build({recipe.net!r}, seed={recipe.seed})",
        *(_training(which) if which.is_trained else []),
        *_input(known, question.x, "x"),
        *_second(known, question),
        "",
        f"A = patterns(net, np.stack([{'x' if is_alone else 'x, second'}]))  # one mask per hidden layer",
        "for layer in A:",
        '    print(layer.sum(axis=1), "of", layer.shape[1], "win")',
    ]
    if not is_alone:
        lines.append('    print("Hamming", hamming(layer[0], layer[1]), "Jaccard", jaccard(layer[0], layer[1]))')
    return "\n".join(lines) + "\n"


def _imports(which: Which, question: Question, known: Data) -> list[str]:
    used = {
        "alone": "patterns",
        "input": "hamming, jaccard, patterns",
        "delta": "hamming, jaccard, patterns, perturbed",
    }
    return [
        "import numpy as np",
        "",
        f"from kwta.datasets import {type(known.spec).__name__}, load",
        f"from kwta.networks import {type(which.recipe.net).__name__}, build",
        f"from kwta.patterns import {used[question.compare]}",
        *(["from kwta.training import Training, train"] if which.is_trained else []),
        "",
    ]


def _training(which: Which) -> list[str]:
    recipe = which.recipe
    return [
        f"for record in train(net, data, {recipe.training!r}, device={recipe.device!r}):",
        '    if record.kind == "epoch":',
        "        print(record.epoch, record.test_accuracy)",
    ]


def _input(known: Data, name: str, variable: str) -> list[str]:
    chosen = found(known, name)
    if chosen.index is not None:
        return [f"{variable} = data.x_test[{chosen.index}]"]
    if not chosen.name.startswith("d"):
        return [f"{variable} = np.array({name.split(',')}, dtype=np.float32)".replace("'", "")]
    low, high = known.box
    rows = ("".join(f"{level:x}" for level in row) for row in levels(known, chosen.name)[0].tolist())
    return [
        "rows = [",
        *(f'    "{row}",' for row in rows),
        "]",
        "drawn = np.array([[int(digit, 16) for digit in row] for row in rows])",
        f"{variable} = ({low} + {high - low} * drawn / {DARKEST}).astype(np.float32)[None]",
    ]


def _second(known: Data, question: Question) -> list[str]:
    if question.compare == "input":
        return _input(known, question.second, "second")
    if question.compare == "delta":
        return [
            f"rng = np.random.default_rng(({question.seed}, 0))",
            f"second = perturbed(x, {question.radius!r}, {question.norm!r}, 1, rng, data.box)[0]",
        ]
    return []
