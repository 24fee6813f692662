"""After `python -m kwta.warm` nothing is left to compile: no module with kernels is forgotten, no type of argument."""

import json
import os
import subprocess
import sys

from source_rules import ROOT, imports, modules

from kwta import warm

KERNELS = [m.name for m in modules("kwta") if any(name.startswith("numba.") for name, _ in imports(m))]

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


def test_no_kernel_is_left_to_compile():
    result = subprocess.run(
        [sys.executable, "-c", PROBE, *KERNELS], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert result.returncode == 0, result.stderr
    before, after = json.loads(result.stdout)
    assert after == before
    for name in KERNELS:
        assert any(n for kernel, n in before.items() if kernel.startswith(f"{name}.")), (
            f"{name} has no row in warm.KERNELS"
        )


def test_the_module_says_what_it_does_and_fills_the_given_cache_folder(tmp_path):
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    result = subprocess.run(
        [sys.executable, "-m", "kwta.warm"], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300
    )
    assert result.returncode == 0, result.stderr
    assert "compiled once" in result.stdout
    assert all(group.name in result.stdout for group in warm.KERNELS)
    assert list(tmp_path.rglob("*.nbc"))


def test_each_group_reports_when_it_is_ready():
    calls: list[str] = []
    groups = tuple(warm.Kernels(name, lambda name=name: calls.append(name)) for name in ("a", "b"))
    ready = warm.warm(groups)
    assert calls == []
    assert next(ready)[0] == "a"
    assert calls == ["a"]
    assert [name for name, _ in ready] == ["b"]
