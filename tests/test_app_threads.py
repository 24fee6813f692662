"""Threads of torch: small steps have one, large ones all, and nothing stays changed."""

import threading

import pytest
import torch

from app.compute import threads
from kwta.networks import MLP, build


@pytest.mark.parametrize(
    ("widths", "batch", "small"), [((64, 64, 64, 10), 64, True), ((784, 1024, 1024, 10), 64, False)]
)
def test_a_small_step_is_one_of_few_parameters_and_inputs(widths, batch, small):
    assert threads.is_small(build(MLP(widths), seed=0), batch) is small


def test_there_is_one_thread_within_and_as_many_as_before_afterwards():
    before = torch.get_num_threads()
    with threads.one_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before
    with threads.one_thread(only=False):
        assert torch.get_num_threads() == before


def test_an_error_leaves_nothing_changed():
    before = torch.get_num_threads()
    with pytest.raises(KeyError), threads.one_thread():
        raise KeyError
    assert torch.get_num_threads() == before


def test_other_threads_that_work_already_keep_theirs():
    torch.ones(2).sum()
    here = torch.get_num_threads()
    inside, leave = threading.Event(), threading.Event()

    def work() -> None:
        with threads.one_thread():
            inside.set()
            leave.wait(10)

    other = threading.Thread(target=work)
    other.start()
    inside.wait(10)
    try:
        assert torch.get_num_threads() == here
    finally:
        leave.set()
        other.join()
