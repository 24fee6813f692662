"""What the Robustness view calls attacks and signs of masking, and what each does or asks, in plain words."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

# As the table calls the attacks of the library.
LABELS = {
    "fgsm": "FGSM",
    "noise": "Random noise",
    "pgd": "PGD",
    "pgd-margin": "PGD on the margin",
    "pgd-neighbours": "Softened PGD",
    "transfer": "Transfer from ReLU",
    "square": "Square",
    "hopskipjump": "HopSkipJump",
    "adaptive": "Adaptive",
}
# As a sentence names them.
SPOKEN = {
    "noise": "random noise",
    "pgd-neighbours": "softened PGD",
    "transfer": "the transfer from ReLU",
    "adaptive": "the adaptive attack",
}
MEANINGS = {
    "fgsm": "one step along the sign of the gradient",
    "noise": "random places in the ball",
    "pgd": "many small steps along the gradient, from several random places",
    "pgd-margin": "the same, climbing the lead of the strongest wrong class",
    "pgd-neighbours": "the same on the mean gradient of places around the point, with a soft threshold in place of φ",
    "transfer": "what fools a ReLU network, tried on this one",
    "square": "random squares, kept where the outputs say that they help; no gradients",
    "hopskipjump": "a walk along the border between two answers; sees the answers only",
    "adaptive": "a smoothed gradient, estimated from many queries (“Smoothed gradient” in the Attack view)",
}


@dataclass(frozen=True)
class Plain:
    """A sign of masking: what is asked, and what it means that the answer is yes."""

    question: str
    yes: str


SIGNS = {
    "beaten": Plain(
        "Does an attack that does not follow this network's gradients find more than all that do?",
        "an attack that does not follow its gradients finds more than all that do",
    ),
    "missed": Plain(
        "Do gradients miss many images that other attacks break?",
        "gradients miss many images that other attacks break",
    ),
    "restarts": Plain(
        "Do gradients still miss them after many new starts?",
        "gradients miss what other attacks break, even after many new starts",
    ),
    "one step": Plain("Does one step break more than many steps?", "one step breaks more than many steps"),
    "larger ε": Plain(
        "Does PGD fail where it may change everything, or find less in a larger ball?",
        "PGD fails where it may change everything, or finds less in a larger ball",
    ),
    "loss path": Plain(
        "Does the loss often go down while the attack climbs it?", "the loss often goes down while the attack climbs it"
    ),
    "gradients": Plain(
        "Do gradients vanish, or turn elsewhere a little farther on?",
        "gradients vanish, or turn elsewhere a little farther on",
    ),
}


def parted(name: str) -> tuple[str, str]:
    """The attack's kind, and what tells a second one of it from the first.

    >>> parted("square-2"), parted("pgd-margin")
    (('square', '-2'), ('pgd-margin', ''))
    """
    found = re.fullmatch(r"(.+?)(-\d+)?", name)
    assert found is not None
    return found[1], found[2] or ""


def label(name: str) -> str:
    """An attack as the table calls it.

    >>> label("pgd-neighbours"), label("square-2"), label("other")
    ('Softened PGD', 'Square 2', 'other')
    """
    kind, number = parted(name)
    return LABELS[kind] + number.replace("-", " ") if kind in LABELS else name


def spoken(name: str) -> str:
    """An attack within a sentence."""
    return SPOKEN.get(name, label(name))


def both(name: str) -> str:
    """The table's name, and beside it that of the library, its files and the command line where it is another.

    >>> both("pgd-neighbours"), both("square")
    ('Softened PGD (pgd-neighbours)', 'Square')
    """
    shown = label(name)
    return shown if shown.lower() == name else f"{shown} ({name})"


def in_table_words(sentence: str, attacks: Iterable[str]) -> str:
    """A sentence of the library with the table's names in place of its own; each stands there as a whole word.

    >>> in_table_words("Of 9 images pgd-neighbours broke 3 more than pgd", ["pgd", "pgd-neighbours"])
    'Of 9 images Softened PGD (pgd-neighbours) broke 3 more than PGD'
    """
    names = "|".join(map(re.escape, sorted(attacks, key=len, reverse=True)))
    return re.sub(rf"(?<![\w-])(?:{names})(?![\w-])", lambda found: both(found[0]), sentence) if names else sentence


def key(attacks: Iterable[str]) -> tuple[tuple[str, str, str], ...]:
    """Of each attack the table's name, the library's, and what it does in half a sentence."""
    return tuple((label(name), name, MEANINGS.get(parted(name)[0], "")) for name in attacks)
