"""A network in words, as `train` and `info` tell it."""

from kwta.networks import Spec
from kwta.networks.specs import Ratio

NAMES = {"mlp": "MLP", "cnn": "CNN", "resnet18": "ResNet-18", "alexnet": "AlexNet"}
MOST = 10  # hidden layers that are told one by one


def network(spec: Spec) -> str:
    """Kind, sizes from the inputs to the outputs, and γ with the winners k.

    >>> network(MLP((64, 64, 64, 10), 0.2))
    'MLP 64–64–64–10, γ = 0.2 (k = 12, 12)'
    """
    return f"{sizes(spec)}, {activation(spec)}"


def sizes(spec: Spec) -> str:
    """The kind and the numbers of units, layer by layer; an image is C×H×W.

    >>> sizes(MLP((2, 16, 2)))
    'MLP 2–16–2'
    """
    inputs = "×".join(map(str, spec.input_shape))
    hidden = _shortened([str(n) for n in spec.sizes])
    return f"{NAMES[spec.kind]} {'–'.join((inputs, *hidden, str(spec.outputs)))}"


def activation(spec: Spec) -> str:
    """γ of the hidden layers, once where all have the same, with the winners k of each; or ReLU.

    >>> activation(MLP((2, 16, 16, 2), (0.5, None)))
    'γ = 0.5, ReLU (k = 8, –)'
    """
    if not spec.sizes:
        return "no hidden layer"
    ratios = [_ratio(gamma) for gamma in spec.gammas]
    told = ratios[0] if len(set(ratios)) == 1 else ", ".join(_shortened(ratios))
    if all(k is None for k in spec.winners):
        return told
    won = ", ".join(_shortened(["–" if k is None else f"{k:,}" for k in spec.winners]))
    return f"γ = {told} (k = {won})"


def _ratio(gamma: Ratio | None) -> str:
    return "ReLU" if gamma is None else str(gamma)


def _shortened(words: list[str]) -> list[str]:
    """The words, or the first and the last of many."""
    return words if len(words) <= MOST else [words[0], "…", words[-1]]
