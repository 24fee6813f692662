"""The words of the views, one Markdown file each; and words of others, which are no Markdown."""

import re
from functools import cache
from pathlib import Path

# Shown as nothing, and enough to part what Streamlit replaces after it has read the Markdown: addresses, :names: of
# emoji and icons, arrows. A backslash does not help there.
JOINER = "\u2060"
_MARKS = re.compile(r"[\\`*_\[\]<>$~&#]|:(?=\S)")
_PARTED = re.compile(r"(?<=:)(?=\S)|(?<=www)(?=\.)|(?<=@)|(?<=-)(?=[->])|(?<=[<>~])(?=[-=])", re.IGNORECASE)
_BLOCK = re.compile(r"^(\d*)([-+.)=])")


@cache
def load(name: str) -> str:
    """The text app/text/<name>.md."""
    return (Path(__file__).parent / f"{name}.md").read_text(encoding="utf-8")


def sentence(words: object) -> str:
    """The words with a large first letter, unless that is a Greek one: Γ is not γ.

    >>> sentence("the seed"), sentence("γ is 2")
    ('The seed', 'γ is 2')
    """
    text = str(words)
    return f"{text[0].upper()}{text[1:]}" if text[:1].isascii() and text else text


def plainly(words: object) -> str:
    """Markdown that shows these words as they are, on one line: what comes from a link or a file is never obeyed.

    >>> plainly("got '![](a)'")
    "got '!\\\\[\\\\](a)'"
    """
    line = " ".join(str(words).split())
    parted = _PARTED.sub(JOINER, line)
    return _BLOCK.sub(r"\1\\\2", _MARKS.sub(r"\\\g<0>", parted))
