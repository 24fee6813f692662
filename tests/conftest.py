"""Set-up shared by all tests: shapes in signatures are checked, data is found or its absence is a reason to skip."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from jaxtyping import install_import_hook

ROOT = Path(__file__).resolve().parents[1]


def checked_modules() -> list[str]:
    """All modules of the library but those with Numba kernels, which cannot call checked functions."""
    files = [
        f for f in (ROOT / "kwta").rglob("*.py") if f.name != "__init__.py" and "from numba import" not in f.read_text()
    ]
    return [".".join(f.relative_to(ROOT).with_suffix("").parts) for f in files]


install_import_hook(checked_modules(), "shapes.checked")

import torch  # noqa: E402  (after the hook, which must precede everything that imports kwta)

settings.register_profile("kwta", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
settings.load_profile("kwta")
torch.set_num_threads(1)  # on small arrays two threads that wait for each other are slower than one


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder with the original data files: KWTA_DATA, or `data` in a folder `shared` beside the checkout."""
    beside = ROOT.parent / "shared" / "data"
    folder = Path(os.environ.get("KWTA_DATA", beside))
    if not folder.is_dir():
        pytest.skip(f"no data folder at {folder}; set KWTA_DATA")
    return folder


@pytest.fixture(scope="session")
def case_folder() -> Path:
    """The folder with the reference networks: KWTA_CASES, or `cases` in a folder `shared` beside the checkout."""
    beside = ROOT.parent / "shared" / "cases"
    folder = Path(os.environ.get("KWTA_CASES", beside))
    if not folder.is_dir():
        pytest.skip(f"no reference networks at {folder}; set KWTA_CASES")
    return folder
