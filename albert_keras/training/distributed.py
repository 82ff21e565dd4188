"""This process among the processes of a job.

One process without Horovod is rank 0 of 1.
"""


def initialize():
    """Joins the processes of the job. One process has nothing to join."""


def rank():
    """Number of this process in the job, from 0."""
    return 0


def size():
    """Number of processes in the job."""
    return 1


def local_rank():
    """Number of this process on its host, from 0."""
    return 0
