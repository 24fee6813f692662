"""The words of the views, one Markdown file each."""

from functools import cache
from pathlib import Path


@cache
def load(name: str) -> str:
    """The text app/text/<name>.md."""
    return (Path(__file__).parent / f"{name}.md").read_text(encoding="utf-8")
