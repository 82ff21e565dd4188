"""TensorFlow uses its memory pool on a CPU unless the user disables it."""

import os

import pytest

from albert_keras.kernels.cpu_memory_pool import use_memory_pool
from tests.processes import run_python

PROGRAM = """
import albert_keras as ak
import tensorflow as tf
backbone = ak.AlbertBackbone.from_size("tiny")
allocated = tf.config.experimental.get_memory_info("CPU:0")["current"]
print(backbone.count_params(), allocated)
"""
POOL, LIMIT = "TF_CPU_ALLOCATOR_USE_BFC", "TF_CPU_BFC_MEM_LIMIT_IN_MB"


@pytest.mark.process
@pytest.mark.slow
def test_the_weights_of_a_model_are_in_the_pool():
    """TensorFlow reports the memory of the pool, not of malloc."""
    size, allocated = map(int, run_python("-c", PROGRAM).split())
    assert allocated >= 4 * size


def test_the_pool_may_hold_all_memory_of_the_machine(monkeypatch):
    for name in (POOL, LIMIT):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(
        os, "sysconf", {"SC_PHYS_PAGES": 2**26, "SC_PAGE_SIZE": 4096}.get
    )
    use_memory_pool()
    assert os.environ[POOL] == "true"
    assert os.environ[LIMIT] == str(2**18)  # 256 GB


def test_what_the_environment_says_already_stays(monkeypatch):
    monkeypatch.setenv(POOL, "false")
    monkeypatch.setenv(LIMIT, "100")
    use_memory_pool()
    assert os.environ[POOL] == "false" and os.environ[LIMIT] == "100"
