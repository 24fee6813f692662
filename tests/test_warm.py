"""After `python -m kwta.warm` nothing is left to compile: no module with kernels is forgotten, no type of argument."""

import json
import os
import subprocess
import sys

import pytest
from source_rules import ROOT, imports, is_kernel, is_within, modules

from kwta import warm

KERNELS = [m for m in modules("kwta") if is_kernel(m)]
NAMES = [m.name for m in KERNELS]

# Counts the signatures of all kernels after warming up, uses the operator in all its ways, counts again.
PROBE = """
import importlib, json, sys
import torch
from kwta import warm
from kwta.activation import kwta, pattern, threshold

list(warm.warm())
modules = [importlib.import_module(name) for name in sys.argv[1:]]

def compiled():
    return {
        f"{m.__name__}.{name}": len(kernel.signatures)
        for m in modules for name, kernel in vars(m).items() if hasattr(kernel, "signatures")
    }

before = compiled()
for dtype in (torch.float32, torch.float64):
    for shape in ((7,), (3, 5, 9), (4, 70_000), (70_000, 1)):
        y = torch.arange(torch.Size(shape).numel(), dtype=dtype).reshape(shape).requires_grad_()
        k = max(shape[-1] // 3, 1)
        kwta(y, k).sum().backward()
        kwta(y.detach(), k), pattern(y, k), threshold(y, k)
    kwta(y.detach().T, 2), kwta(y.detach()[::2], 1)
print(json.dumps([before, compiled()]))
"""


def reached(compiled: set[str]) -> set[str]:
    """These modules of kernels, and those whose functions they call, which are compiled as parts of theirs."""
    called = {name for m in KERNELS if m.name in compiled for name, _ in imports(m)}
    more = {m.name for m in KERNELS if any(is_within(name, m.name) for name in called)}
    return compiled if more <= compiled else reached(compiled | more)


@pytest.mark.slow
def test_no_kernel_is_left_to_compile():
    result = subprocess.run(
        [sys.executable, "-c", PROBE, *NAMES], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert result.returncode == 0, result.stderr
    before, after = json.loads(result.stdout)
    assert after == before
    compiled = {kernel.rpartition(".")[0] for kernel, n in before.items() if n}
    assert set(NAMES) - reached(compiled) == set(), "give it a row in kwta.warm.KERNELS"


OPERATOR_ALONE = "from kwta import warm; warm.KERNELS = warm.KERNELS[:1]; warm.main()"


@pytest.mark.slow
def test_what_is_compiled_lies_in_the_given_cache_folder(tmp_path):
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path), "PYTHONUTF8": "1"}
    result = subprocess.run(
        [sys.executable, "-c", OPERATOR_ALONE], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300
    )
    assert result.returncode == 0, result.stderr
    assert "compiled once" in result.stdout
    assert warm.KERNELS[0].name in result.stdout
    assert list(tmp_path.rglob("*.nbc"))


def test_each_group_is_named_when_it_is_ready(monkeypatch, capsys):
    calls: list[str] = []
    groups = tuple(warm.Kernels(name, lambda name=name: calls.append(name)) for name in ("first", "second"))
    monkeypatch.setattr(warm, "KERNELS", groups)
    ready = warm.warm()
    assert calls == []
    assert next(ready)[0] == "first"
    assert calls == ["first"]
    assert [name for name, _ in ready] == ["second"]
    warm.main()
    assert [line.split("…")[0].strip() for line in capsys.readouterr().out.splitlines()[1:]] == ["first", "second"]
