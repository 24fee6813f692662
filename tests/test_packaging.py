"""What the package declares fits what it imports and what requirements.txt pins."""

import tomllib
from importlib.metadata import packages_distributions

import pytest
from packaging.requirements import Requirement
from source_rules import ROOT, imports, modules

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
OWN = ("kwta", "app", "benchmarks")


def named(lines: list[str]) -> dict[str, Requirement]:
    return {found.name: found for found in map(Requirement, lines)}


LIBRARY = named(PROJECT["dependencies"])
APP = named(PROJECT["optional-dependencies"]["app"])
PINNED = named(
    [
        line
        for raw in (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
        if (line := raw.split("#")[0])
    ]
)


def distributions(package: str) -> set[str]:
    """The distributions whose modules the package imports, as pip calls them."""
    tops = {name.partition(".")[0] for module in modules(package) for name, _ in imports(module)}
    known = packages_distributions()
    return {known[top][0].lower() for top in tops if top in known and top not in OWN}


def test_every_pin_is_declared_by_the_library_or_the_app_and_nothing_else_is():
    assert {*LIBRARY} | {*APP} == {*PINNED}
    assert not {*LIBRARY} & {*APP}


@pytest.mark.parametrize("name", sorted(PINNED))
def test_a_pin_is_exact_and_allowed_by_what_is_declared(name: str):
    (pin,) = PINNED[name].specifier
    assert pin.operator == "=="
    assert (LIBRARY | APP)[name].specifier.contains(pin.version)


def test_the_library_declares_what_it_imports_and_no_more():
    assert distributions("kwta") == {*LIBRARY}


def test_the_app_imports_nothing_undeclared():
    assert distributions("app") <= {*LIBRARY} | {*APP}
