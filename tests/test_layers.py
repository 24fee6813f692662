"""The layers of the code and its habits hold, and the rules that say so do catch what breaks them."""

import graphlib
import subprocess
import sys

import pytest
import source_rules as rules
from source_rules import ROOT, Module, imports, is_within, modules

ALL = modules("kwta", "app", "benchmarks")
KWTA = modules("kwta")
APP = modules("app")

# Inside kwta a part imports parts of its own row and the rows below, never in a circle.
ROWS = (
    ("cli", "warm", "__main__"),
    ("sweeps", "reproduction"),
    ("training", "regions", "jumps", "attacks"),
    ("patterns", "networks", "datasets", "slices", "threats", "timing", "published"),
    ("activation",),
    ("devices", "seeds", ""),  # "" is kwta/__init__.py
)

# In the app: who may not import what. The first package that fits decides.
FORBIDDEN = {
    "app.views": ("torch", "numpy", "numba", "scipy", "sklearn", "plotly", "kwta"),
    "app.plots": ("torch", "streamlit", "kwta", "app.views", "app.compute", "app.components", "app.state", "app.shell"),
    "app.components": ("torch", "plotly", "kwta", "app.views", "app.compute", "app.plots", "app.shell"),
    "app.compute": ("plotly", "app.views", "app.plots", "app.components", "app.shell"),
    "app": ("torch", "plotly", "app.views"),
}


def part(name: str) -> str:
    """The part of kwta that a dotted name lies in: kwta.slices.box is in slices."""
    parts = name.split(".")
    found = parts[1] if len(parts) > 1 else ""
    return found if (ROOT / "kwta" / found).is_dir() or (ROOT / "kwta" / f"{found}.py").is_file() else ""


def row(name: str) -> int:
    return next(i for i, parts in enumerate(ROWS) if part(name) in parts)


def upward_imports(module: Module) -> list[str]:
    found = [(name, line) for name, line in imports(module) if is_within(name, "kwta")]
    return [
        f"{module.name}:{line} imports {name}, which lies above it"
        for name, line in found
        if row(name) < row(module.name) or (part(module.name) == "training" and part(name) == "attacks")
    ]


def app_imports(module: Module) -> list[str]:
    forbidden = next(names for package, names in FORBIDDEN.items() if is_within(module.name, package))
    return rules.forbidden_imports(module, forbidden)


def library_imports(module: Module) -> list[str]:
    return rules.forbidden_imports(module, ("streamlit", "plotly", "app", "benchmarks", "tests"))


def caches_outside_compute(module: Module) -> list[str]:
    return [] if is_within(module.name, "app.compute") else rules.caches(module)


def broken(rule, among: list[Module]) -> list[str]:
    return [sentence for module in among for sentence in rule(module)]


RULES = {
    "kwta imports neither Streamlit nor Plotly nor the app": (library_imports, KWTA),
    "inside kwta imports point downwards": (upward_imports, KWTA),
    "kwta holds no globals": (rules.variables, KWTA),
    "views ask compute, plots draw without Streamlit and torch": (app_imports, APP),
    "caches of results live in app/compute alone": (caches_outside_compute, APP),
    "every cache is bounded": (rules.boundless_caches, APP),
    "errors are not swallowed": (rules.swallowed_errors, ALL),
    "modules are named by their idea": (rules.empty_names, ALL),
    "functions are named by what they return": (rules.empty_prefixes, ALL),
    "randomness is an argument": (rules.global_randomness, ALL),
    "nothing is pickled": (rules.pickles, ALL),
    "modules hold one idea": (rules.long_modules, ALL),
}


@pytest.mark.parametrize("truth", RULES)
def test_it_holds_that(truth):
    rule, among = RULES[truth]
    assert among
    assert broken(rule, among) == []


@pytest.mark.parametrize("module", KWTA, ids=lambda m: m.name)
def test_every_part_of_kwta_has_its_place_in_the_layers(module):
    assert part(module.name) in {name for parts in ROWS for name in parts}, "give it a place in ROWS"


def test_no_parts_of_kwta_import_each_other_in_a_circle():
    graph: dict[str, set[str]] = {}
    for module in KWTA:
        used = {part(name) for name, _ in imports(module) if is_within(name, "kwta")}
        graph.setdefault(part(module.name), set()).update(used - {part(module.name)})
    assert list(graphlib.TopologicalSorter(graph).static_order())


# What is imported in the end, not only what is written.

IMPORT_ALL = """
import importlib, pkgutil, sys
package = importlib.import_module(sys.argv[1])
found = [m.name for m in pkgutil.walk_packages(package.__path__, package.__name__ + ".")]
found = [name for name in found if not name.endswith("__main__")]
for name in found:
    importlib.import_module(name)
print(len(found), *sorted(set(sys.modules) & set(sys.argv[2:])))
"""


def loaded(package: str, *watched: str) -> list[str]:
    """Which of the watched packages are loaded once all modules of the package are imported."""
    command = [sys.executable, "-c", IMPORT_ALL, package, *watched]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr
    n_modules, *names = result.stdout.split()
    assert int(n_modules) > 0
    return names


def test_importing_all_of_kwta_loads_neither_streamlit_nor_plotly():
    assert loaded("kwta", "streamlit", "plotly", "torch") == ["torch"]  # torch shows that the probe sees


def test_importing_all_plots_loads_neither_streamlit_nor_torch():
    assert loaded("app.plots", "streamlit", "torch", "ast") == ["ast"]


# Negative controls: each of these must be caught.

BROKEN = {
    "a view with torch": (app_imports, "app.views.x", "import torch.nn as nn"),
    "a view with the library": (app_imports, "app.views.x", "from kwta.slices import through"),
    "a view with numpy in a function": (app_imports, "app.views.x", "def f():\n    import numpy"),
    "a plot with streamlit": (app_imports, "app.plots.x", "import streamlit as st"),
    "a plot with a computation": (app_imports, "app.plots.x", "from app import compute"),
    "a computation with a plot": (app_imports, "app.compute.x", "from ..plots import lines"),
    "the entry with torch": (app_imports, "app.main", "from torch import nn"),
    "the library with plotly": (library_imports, "kwta.slices.x", "import plotly.graph_objects as go"),
    "the library with the app": (library_imports, "kwta.slices.x", "from app import state"),
    "an import by name": (library_imports, "kwta.slices.x", "import importlib\nimportlib.import_module('streamlit')"),
    "activation above itself": (upward_imports, "kwta.activation.x", "from kwta.networks import MLP"),
    "networks with training": (upward_imports, "kwta.networks.x", "from kwta import training"),
    "a relative import upwards": (upward_imports, "kwta.networks.x", "from ..training import train"),
    "a global": (rules.variables, "kwta.x", "def f():\n    global count\n    count = 1"),
    "a variable at the top": (rules.variables, "kwta.x", "cache = {}"),
    "a bare except": (rules.swallowed_errors, "kwta.x", "try:\n    f()\nexcept:\n    raise"),
    "a silent except": (rules.swallowed_errors, "kwta.x", "try:\n    f()\nexcept (OSError, Exception):\n    pass"),
    "a cache in a view": (caches_outside_compute, "app.views.x", "@st.cache_data(max_entries=3)\ndef f(): ..."),
    "a cache in a view by its name": (caches_outside_compute, "app.views.x", "from streamlit import cache_data"),
    "a boundless cache": (rules.boundless_caches, "app.compute.x", "@st.cache_data\ndef f(): ..."),
    "a boundless cache with options": (
        rules.boundless_caches,
        "app.compute.x",
        "@st.cache_resource(ttl=3)\ndef f(): ...",
    ),
    "utils": (rules.empty_names, "kwta.slices.utils", ""),
    "plot helpers": (rules.empty_names, "app.plot_helpers.lines", ""),
    "get_": (rules.empty_prefixes, "kwta.x", "def get_pieces(): ..."),
    "compute_ in a class": (rules.empty_prefixes, "kwta.x", "class A:\n    def _compute_pieces(self): ..."),
    "torch's seed": (rules.global_randomness, "kwta.x", "import torch\ntorch.manual_seed(0)"),
    "torch's seed by name": (rules.global_randomness, "kwta.x", "from torch import manual_seed"),
    "CUDA's seed": (rules.global_randomness, "kwta.x", "torch.cuda.manual_seed_all(0)"),
    "NumPy's seed": (rules.global_randomness, "kwta.x", "np.random.seed(0)"),
    "NumPy's draws": (rules.global_randomness, "kwta.x", "y = np.random.randn(3)"),
    "Python's draws": (rules.global_randomness, "kwta.x", "import random\nrandom.shuffle(x)"),
    "pickle": (rules.pickles, "kwta.x", "import pickle"),
    "torch.load": (rules.pickles, "kwta.x", "torch.load(file, weights_only=True)"),
    "an array that may be a pickle": (rules.pickles, "kwta.x", "np.load(file, allow_pickle=True)"),
    "a long module": (rules.long_modules, "kwta.x", "\n" * (rules.MOST_LINES + 1)),
    "a long kernel": (rules.long_modules, "kwta.x", "from numba import njit" + "\n" * (rules.MOST_KERNEL_LINES + 1)),
}

SOUND = {
    "a view that asks": (app_imports, "app.views.x", "import streamlit as st\nfrom app import compute, plots, state"),
    "a plot with types": (app_imports, "app.plots.x", "if TYPE_CHECKING:\n    from torch import Tensor\nimport plotly"),
    "networks with activation": (upward_imports, "kwta.networks.x", "from kwta.activation import KWTA"),
    "training with networks": (upward_imports, "kwta.training.x", "from ..networks import build"),
    "constants and types": (rules.variables, "kwta.x", "STEPS = 40\nSpec = A | B\n__all__ = []\n_PAIR: int = 2"),
    "an except that names errors": (rules.swallowed_errors, "kwta.x", "try:\n    f()\nexcept OSError:\n    pass"),
    "an except that tells": (rules.swallowed_errors, "kwta.x", "try:\n    f()\nexcept Exception as e:\n    tell(e)"),
    "a bounded cache": (rules.boundless_caches, "app.compute.x", "@st.cache_data(max_entries=9)\ndef f(): ..."),
    "own generators": (
        rules.global_randomness,
        "kwta.x",
        "torch.Generator().manual_seed(0)\nnp.random.default_rng(0).normal()\nrandom.SystemRandom().choice(x)",
    ),
    "an array that is none": (rules.pickles, "kwta.x", "np.load(file, allow_pickle=False)"),
    "a kernel that needs more": (rules.long_modules, "kwta.x", "import numba" + "\n" * rules.MOST_LINES),
    "a name that only begins like one": (rules.empty_names, "kwta.commonality", ""),
}


@pytest.mark.parametrize("case", BROKEN)
def test_the_rules_catch(case):
    rule, name, text = BROKEN[case]
    assert len(rule(Module(name, text))) == 1


@pytest.mark.parametrize("case", SOUND)
def test_the_rules_allow(case):
    rule, name, text = SOUND[case]
    assert rule(Module(name, text)) == []


def test_training_may_not_import_attacks_although_they_stand_in_one_row(monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "part", lambda name: name.split(".")[1])
    assert upward_imports(Module("kwta.training.x", "from kwta.attacks import gradient"))
    assert not upward_imports(Module("kwta.jumps.x", "from kwta.attacks import gradient"))
