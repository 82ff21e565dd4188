"""Datasets one after another: short sequences first, then long ones."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np


class StagedDataset(keras.utils.PyDataset):
    """Batches of one dataset for some steps, then of the next.

    BERT's way to train long sequences cheaply: 128 pieces for nine tenths of
    the updates, then 512, from the same token store. Any step can be asked
    for, as with the datasets themselves.

    Args:
        stages: (dataset, steps) in their order; each dataset begins with its
            own step 0. The last one's steps may be None: without end.
        first_step: Step of `dataset[0]`, for a resumed run.
        **kwargs: `workers` and so on of `keras.utils.PyDataset`.

    Raises:
        ValueError: If there is no stage, or one before the last is endless.

    Example:

    ```python
    store = TokenStore("corpus")
    short = PretrainingDataset(store, sequence_length=128, batch_size=256)
    long = PretrainingDataset(store, sequence_length=512, batch_size=256)
    dataset = StagedDataset([(short, 90_000), (long, 10_000)])
    ```
    """

    # Tells the trainer that shapes differ from batch to batch.
    varies_in_length = True

    def __init__(
        self,
        stages: Sequence[tuple[Any, int | None]],
        first_step: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        steps = [count for _, count in stages]
        if not stages or any(not count for count in steps[:-1]):
            raise ValueError(
                "`stages` must be datasets with their steps, of which only "
                f"the last may be None. Received: steps {steps}."
            )
        self.datasets = [dataset for dataset, _ in stages]
        self.first_step = first_step
        self._begins = np.cumsum([0, *(n for n in steps[:-1] if n)])
        last = steps[-1]
        self._end = None if last is None else int(self._begins[-1]) + last

    @property
    def num_batches(self) -> int | None:
        return None if self._end is None else self._end - self.first_step

    @property
    def steps_per_pass(self) -> float:
        """Steps of a pass over the text, in the last stage."""
        return self.datasets[-1].steps_per_pass

    def __getitem__(self, index):
        return self.batch(self.first_step + index)

    def batch(self, step: int) -> tuple:
        """The batch of a step, counted from the start of training."""
        stage = int(np.searchsorted(self._begins, step, "right")) - 1
        return self.datasets[stage].batch(step - int(self._begins[stage]))
