"""Markdown as a test reads it: blocks of code with the text that they promise, paths, commands, links."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

FENCE = re.compile(
    r"^(?P<fence>```+|~~~+)[ ]*(?P<language>\w*)[^\n]*\n(?P<body>.*?)^(?P=fence)[ ]*$", re.MULTILINE | re.DOTALL
)


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, text and the line on which the text begins."""

    language: str
    text: str
    line: int


NOTHING = Block("", "", 0)


def blocks(markdown: str) -> list[Block]:
    return [
        Block(m["language"].lower(), m["body"], markdown.count("\n", 0, m.start("body")) + 1)
        for m in FENCE.finditer(markdown)
    ]


def examples(markdown: str) -> list[tuple[Block, str | None]]:
    """Each Python block with the ```text block right after it, which is what it prints; None if there is none."""
    return [
        (block, after.text if after.language == "text" else None)
        for block, after in pairwise([*blocks(markdown), NOTHING])
        if block.language in ("python", "py")
    ]


def without_blocks(markdown: str) -> str:
    return FENCE.sub("", markdown)


LINK = re.compile(r"!?\[[^\]]*\]\((?P<target>[^)\s]+)[^)]*\)|(?:src|href|srcset)=\"(?P<html>[^\"]+)\"")
NAMED = re.compile(r"`(?P<path>[\w.~-]*/?[\w./-]*)`")
ELSEWHERE = re.compile(r"[a-z]+:|//|#")
# A lone name with another ending may be a file that the program makes.
ENDINGS = (".py", ".md", ".txt", ".toml", ".sh")
# Made by set-up, not part of the repository.
MADE = (".venv",)


def paths(markdown: str, root: Path) -> set[str]:
    """Files and folders of this repository that the text names: targets of links, and code spans that look like one.

    A code span does if its first part lies in the repository's root, or if it ends as files here do.
    """
    targets = {m["target"] or m["html"] for m in LINK.finditer(without_blocks(markdown))}
    local = {target.partition("#")[0] for target in targets if not ELSEWHERE.match(target)}
    spans = {m["path"] for m in NAMED.finditer(without_blocks(markdown))}
    first = {span: span.split("/")[0] for span in spans if "/" in span}
    known = {span for span, part in first.items() if part not in MADE and (root / part).exists()}
    return (local | known | {span for span in spans if span.endswith(ENDINGS) and span not in ENDINGS}) - {""}


def make_targets(markdown: str) -> set[str]:
    """Targets of `make`, in spans of code and in shell blocks."""
    code = [b.text for b in blocks(markdown) if b.language in ("", "sh", "bash", "shell", "console")]
    code += re.findall(r"`([^`\n]+)`", without_blocks(markdown))
    return {m for text in code for m in re.findall(r"(?:^|[\s;&$]|\w=\S+ )make ([a-z][\w-]*)", text, re.MULTILINE)}


def own_modules(markdown: str) -> Iterator[str]:
    """Modules of this repository that a shell line runs with `python -m`."""
    code = [b.text for b in blocks(markdown) if b.language in ("", "sh", "bash", "shell", "console")]
    code += re.findall(r"`([^`\n]+)`", without_blocks(markdown))
    for text in code:
        yield from re.findall(r"python[\d.]* -m ((?:kwta|app|benchmarks)[\w.]*)", text)
