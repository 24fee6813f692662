"""The benchmark harness tells the truth about calls whose cost is known: a clock that the calls themselves turn."""

import json
import time

import pytest
import torch

from benchmarks import __main__ as command
from benchmarks import activation, harness, networks, report, start
from kwta.networks import AlexNet, ResNet18, build


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still, except when a call adds to it; in seconds."""
    now = [0.0]
    monkeypatch.setattr(harness, "_clock", lambda _device: lambda: now[0])
    return now


def costing(clock: list[float], seconds: float, calls: list[float]):
    def call() -> None:
        clock[0] += seconds
        calls.append(seconds)

    return call


def test_the_ratio_says_how_many_times_as_fast_ours_is(clock):
    result = harness.compare("c", costing(clock, 0.001, []), costing(clock, 0.003, []), target=2)
    assert (result.ratio, result.ratio_low, result.ratio_high) == pytest.approx((3, 3, 3))
    assert (result.ours_ms, result.other_ms) == pytest.approx((1, 3))
    assert result.verdict == "met (≥ 2)"


def test_a_missed_target_is_called_missed(clock):
    result = harness.compare("c", costing(clock, 0.003, []), costing(clock, 0.001, []), target=1)
    assert result.ratio == pytest.approx(1 / 3)
    assert result.verdict == "MISSED (≥ 1)"


def test_the_two_ways_alternate_so_that_a_change_of_pace_meets_both(clock):
    # The machine becomes ten times slower halfway: run one after the other, the two would meet different machines.
    calls: list[float] = []

    def call_of(seconds: float):
        def call() -> None:
            clock[0] += seconds * (10 if len(calls) > 40 else 1)
            calls.append(seconds)

        return call

    result = harness.compare("c", call_of(0.01), call_of(0.02))
    assert result.ratio == pytest.approx(2)
    blocks = calls[8:]  # after the calls that choose the size of a block
    assert all({*blocks[i : i + 2]} == {0.01, 0.02} for i in range(0, len(blocks), 2))
    assert blocks[:4] == [0.01, 0.02, 0.02, 0.01]


def test_time_per_entry_is_in_nanoseconds(clock):
    assert harness.timing("c", costing(clock, 0.002, []), entries=1000).ns_per_entry == pytest.approx(2000)


@pytest.mark.slow
def test_another_program_on_the_core_does_not_count_for_one_thread(monkeypatch):
    monkeypatch.setattr(harness, "BLOCK_SECONDS", 1e-6)  # sleeping costs next to nothing: one call fills a block
    with harness.threads(1):
        asleep = harness.timing("c", lambda: time.sleep(0.01), entries=1)
    assert asleep.ns_per_entry < 5e6


def test_several_threads_are_timed_by_the_clock_on_the_wall():
    with harness.threads(2):
        asleep = harness.timing("c", lambda: time.sleep(0.01), entries=1)
    assert asleep.ns_per_entry >= 10e6


def test_threads_are_set_for_the_block_only():
    before = torch.get_num_threads()
    with harness.threads(before + 1):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before


def test_the_formula_and_the_operator_agree_where_no_entries_tie():
    x = torch.randperm(60, generator=torch.Generator().manual_seed(1)).reshape(3, 20).float() - 30
    assert torch.equal(activation.formula(x, 5), activation.kwta(x, 5))


@pytest.fixture
def _short(monkeypatch):
    """All benchmarks with small shapes and few repetitions."""
    monkeypatch.setattr(harness, "REPETITIONS", 3)
    monkeypatch.setattr(harness, "BLOCK_SECONDS", 1e-4)
    monkeypatch.setattr(activation, "SHAPES", [(2, 8, 1.0)])
    monkeypatch.setattr(activation, "LENGTHS", (8, 16))
    monkeypatch.setattr(activation, "GAMMAS", (0.5,))
    monkeypatch.setattr(activation, "ENTRIES", 64)


@pytest.mark.usefixtures("_short")
def test_the_json_has_every_row_and_the_machine(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["benchmarks", "activation", "--json"])
    command.main()
    result = json.loads(capsys.readouterr().out)
    assert result["machine"]["torch"] == torch.__version__
    devices = 1 + torch.cuda.is_available()
    assert [len(section["rows"]) for section in result["sections"]] == [devices + 1, devices + 1, 2 * devices]
    assert {row["kind"] for section in result["sections"] for row in section["rows"]} == {"Comparison", "Timing"}


@pytest.mark.usefixtures("_short")
def test_the_table_has_a_line_for_every_row(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["benchmarks", "activation"])
    command.main()
    printed = capsys.readouterr().out
    assert printed.count("2 × 8, γ = 0.5") >= 4
    assert "8 × 8, γ = 0.2" in printed


def test_an_unknown_name_is_refused_with_the_names_there_are(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["benchmarks", "speed"])
    with pytest.raises(SystemExit):
        command.main()
    assert f"NAME must be one of {', '.join(command.BENCHMARKS)}, got speed" in capsys.readouterr().err


def test_a_case_is_printed_once_with_its_spread():
    row = harness.Comparison("a", "cpu", 1, 1.0, 5.0, 5.0, 4.5, 5.5, 4.0)
    assert report._line(row) == f"{'a':<28} cpu {1:>10}     1.000     5.000    5.00     4.50 – 5.50  met (≥ 4)"


def test_the_step_with_the_usual_formula_is_the_step_with_k_wta(monkeypatch):
    """Ties apart, which means of images do not have: both are timed on the same work."""
    monkeypatch.setattr(networks, "NETWORKS", (("small", ResNet18(width=2)), ("small", AlexNet(width=1))))
    monkeypatch.setattr(networks, "BATCHES", {"cpu": 4, "cuda": 4})
    monkeypatch.setattr(networks, "REPETITIONS", 2)
    monkeypatch.setattr(harness, "BLOCK_SECONDS", 1e-4)
    net = build(ResNet18(width=2, gamma=0.2), 0).train()
    twin = networks.with_formula(net)
    assert any(isinstance(module, networks.Formula) for module in twin.modules())
    x, labels = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(1)), torch.arange(4)
    torch.testing.assert_close(networks.step(net, x, labels), networks.step(twin, x, labels))
    for ours, theirs in zip(net.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-4, atol=1e-6)
    against_relu, against_formula = (list(section.rows) for section in networks.sections())
    devices = 1 + torch.cuda.is_available()
    assert len(against_relu) == len(against_formula) == 2 * devices
    assert all(row.ratio > 0 for row in (*against_relu, *against_formula))


def test_a_first_result_is_that_of_a_process_of_its_own_and_told_with_its_target(monkeypatch):
    asked: list[tuple[str, str | None]] = []

    def first(call: str, cache: str | None) -> tuple[float, float]:
        asked.append((call, cache))
        return (2.0, 0.5) if cache is None else (90.0, 30.0)

    monkeypatch.setattr(start, "_first", first)
    cached, compiled = ([*section.rows] for section in start.sections())
    assert {row.verdict for row in cached} == {"met (≤ 1 s of one core)"}
    assert {row.verdict for row in compiled} == {"MISSED (≤ 25 s of one core)"}
    caches = [cache for _, cache in asked if cache]
    assert len(set(caches)) == len(caches) == len(start.CALLS)
    assert "90.00     30.00  MISSED" in report._line(compiled[0])


@pytest.mark.slow
def test_a_new_process_does_find_regions():
    wall, cpu = start._first(start.CALLS["pieces of a line"], None)
    assert wall > 0.01
    assert cpu > 0
