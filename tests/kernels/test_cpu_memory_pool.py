"""TensorFlow's tensors on a CPU come from a pool, unless the user says no."""

import os

import tensorflow as tf

from albert_keras.kernels.cpu_memory_pool import pool_tensors

POOL, LIMIT = "TF_CPU_ALLOCATOR_USE_BFC", "TF_CPU_BFC_MEM_LIMIT_IN_MB"


def test_tensors_of_a_process_with_this_package_come_from_the_pool():
    """Only the pool counts, the C library's allocator does not."""
    before = tf.config.experimental.get_memory_info("CPU:0")["current"]
    tensor = tf.zeros((1000, 1000)) + 1.0
    after = tf.config.experimental.get_memory_info("CPU:0")["current"]
    assert after - before >= 4 * int(tf.size(tensor))


def test_the_pool_may_hold_all_memory_of_the_machine(monkeypatch):
    for name in (POOL, LIMIT):
        monkeypatch.delenv(name)
    monkeypatch.setattr(
        os, "sysconf", {"SC_PHYS_PAGES": 2**26, "SC_PAGE_SIZE": 4096}.get
    )
    pool_tensors()
    assert os.environ[POOL] == "true"
    assert os.environ[LIMIT] == str(2**18)  # 256 GB


def test_what_the_environment_says_already_stays(monkeypatch):
    monkeypatch.setenv(POOL, "false")
    monkeypatch.setenv(LIMIT, "100")
    pool_tensors()
    assert os.environ[POOL] == "false" and os.environ[LIMIT] == "100"
