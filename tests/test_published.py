"""The published figures stand as their record has them, each with a source."""

import doctest
import re
from dataclasses import asdict
from pathlib import Path

import pytest

from kwta import published
from kwta.published import EXPERIMENT, FIGURES, ORIGIN_TABLE, RADII, STATEMENTS, Source, origin_row

RECORD = Path(__file__).resolve().parents[2] / "shared" / "ROBUSTNESS.md"


@pytest.fixture(scope="module")
def record() -> str:
    if not RECORD.is_file():
        pytest.skip(f"no record at {RECORD}")
    return RECORD.read_text(encoding="utf-8")


def test_the_origins_table_is_the_one_of_the_record(record):
    lines = [line for line in record.splitlines() if re.match(r"\| (AlexNet|ResNet-18)", line)]
    assert len(lines) == 8
    for line in lines:
        name, data, *cells = (cell.strip() for cell in line.strip("| ").split("|"))
        network = "alexnet" if name.startswith("AlexNet") else "resnet18"
        for gamma, cell in zip((None, 0.2, 0.1), cells, strict=True):
            row = origin_row(network, data.lower().replace("-", ""), gamma, "pretrained" in name)
            assert row is not None
            assert cell == f"{row.clean:.2f} / {row.pgd:.2f} / {row.deepfool:.2f}"


def test_other_figures_stand_in_the_record(record):
    words = " ".join(record.split())
    for figure in FIGURES:
        assert f"{figure.robust} %" in words or f"{figure.robust:.2f} %" in words
        assert figure.clean is None or f"clean {figure.clean} %" in words
    names = {"cifar10": "CIFAR-10", "svhn": "SVHN", "mnist": "MNIST"}
    assert ", ".join(f"{names[r.data]} {r.eps}" for r in RADII) in words
    assert f"{EXPERIMENT.images:,} test images" in words
    assert f"rel_stepsize={EXPERIMENT.relative_step}" in words
    assert f"PGD {EXPERIMENT.pgd_steps} steps and DeepFool {EXPERIMENT.deepfool_steps} steps with" in words
    assert f"{EXPERIMENT.deepfool_candidates} candidates" in words
    for _, seconds in EXPERIMENT.epoch_seconds:
        assert f"{seconds // 60}:{seconds % 60:02d}" in words


def test_every_network_data_and_gamma_stands_once_in_the_origins_table():
    keys = [(row.network, row.data, row.pretrained, row.gamma) for row in ORIGIN_TABLE]
    assert len(keys) == len(set(keys)) == 2 * 2 * 2 * 3
    assert all(0 <= value <= 100 for row in ORIGIN_TABLE for value in (row.clean, row.pgd, row.deepfool))
    assert [row for row in ORIGIN_TABLE if row.failed] == [origin_row("alexnet", "svhn", None)]
    assert origin_row("resnet18", "cifar10", 0.3) is None


def test_every_figure_names_its_source():
    entries = (*RADII, *FIGURES, *STATEMENTS, *ORIGIN_TABLE, EXPERIMENT)
    for entry in entries:
        assert isinstance(entry.source, Source)
        assert all(asdict(entry.source).values())
    assert {row.source.known for row in ORIGIN_TABLE} == {"logs"}


def test_the_two_published_models_are_never_mixed():
    """One is a ResNet-18, the other a DenseNet-121: only the latter has a clean accuracy on record."""
    assert {(f.model, f.clean) for f in FIGURES} == {("ResNet-18", None), ("DenseNet-121", 79.28)}


def test_the_slip_of_the_step_is_what_it_is_said_to_be():
    step = EXPERIMENT.relative_step * published.radius("cifar10")
    assert step == pytest.approx(9.3e-5)
    assert EXPERIMENT.pgd_steps * EXPERIMENT.relative_step == pytest.approx(0.12)


def test_the_examples_in_the_docstrings_are_true():
    result = doctest.testmod(published)
    assert result.attempted >= 2
    assert result.failed == 0
