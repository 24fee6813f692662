"""The colours of classes: one list for every view, told apart from the ground and from each other."""

import re
from itertools import combinations
from math import dist

import pytest

from app import components

COLOUR = r'"#[0-9A-Fa-f]{6}"'
GROUND = {"light": "#ffffff", "dark": "#14171a"}
CONES = (
    (0.4122214708, 0.5363325363, 0.0514459929),
    (0.2119034982, 0.6806995451, 0.1073969566),
    (0.0883024619, 0.2817188376, 0.6299787005),
)
AXES = (
    (0.2104542553, 0.7936177850, -0.0040720468),
    (1.9779984951, -2.4285922050, 0.4505937099),
    (0.0259040371, 0.7827717662, -0.8086757660),
)


def palettes() -> dict[str, list[str]]:
    source = (components.FOLDER / "palette.js").read_text(encoding="utf-8")
    body = source[source.index("function classColours") :].split("\n}\n")[0]
    dark, light = re.findall(rf"\[((?:{COLOUR}(?:, )?)+)\]", body)
    return {theme: [word.strip('"') for word in one.split(", ")] for theme, one in (("dark", dark), ("light", light))}


def linear(colour: str) -> list[float]:
    parts = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in parts]


def luminance(colour: str) -> float:
    return sum(w * v for w, v in zip((0.2126, 0.7152, 0.0722), linear(colour), strict=True))


def contrast(one: str, other: str) -> float:
    """WCAG 2.2: (L₁ + 0.05) / (L₂ + 0.05), the lighter above."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def lab(colour: str) -> list[float]:
    """Björn Ottosson's OKLab, in which equal distances look about equally large."""
    cones = [sum(w * v for w, v in zip(row, linear(colour), strict=True)) ** (1 / 3) for row in CONES]
    return [sum(w * v for w, v in zip(row, cones, strict=True)) for row in AXES]


def apart(one: str, other: str) -> float:
    return dist(lab(one), lab(other))


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_class_stands_out_from_the_ground_and_from_the_other_classes(theme: str):
    colours = palettes()[theme]
    assert len(set(colours)) == 10
    assert min(contrast(colour, GROUND[theme]) for colour in colours) >= 3
    assert min(apart(one, other) for one, other in combinations(colours, 2)) > 0.07


def test_few_classes_have_neither_the_colours_of_signs_nor_those_of_the_two_networks():
    shared = (components.FOLDER / "shared.js").read_text(encoding="utf-8")
    signs = set(re.findall(COLOUR, "".join(re.findall(r"(?:positive|negative): .*", shared))))
    assert len(signs) == 4
    for colours in palettes().values():
        assert min(apart(colour, sign.strip('"')) for colour in colours[:3] for sign in signs) > 0.1


def test_no_component_has_a_list_of_colours_beside_the_one_that_the_theme_hands_out():
    shared = (components.FOLDER / "shared.js").read_text(encoding="utf-8")
    assert "classes: classColours(dark)" in shared
    scripts = [file for file in components.FOLDER.glob("*.js") if file.name != "palette.js"]
    assert len(scripts) > 8
    own = {file.name: re.findall(rf"(?:{COLOUR}, ){{3}}", file.read_text(encoding="utf-8")) for file in scripts}
    assert {name: lists for name, lists in own.items() if lists} == {}


@pytest.mark.parametrize("name", ["line", "regions", "train"])
def test_the_list_is_at_hand_in_every_component(name: str):
    assert "function classColours" in components.source(name)["js"]
