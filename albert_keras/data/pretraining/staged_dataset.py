"""Pretraining in stages: short sequences first, then long ones."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np


class StagedDataset(keras.utils.PyDataset):
    """Yields the batches of one dataset for some steps, then of the next.

    BERT trains long sequences cheaply this way (Devlin et al. 2018, appendix
    A.2): 128 tokens for 90% of the updates, then 512, from the same text.
    Steps can be accessed in any order, as with the datasets themselves.

    Args:
        stages: (dataset, steps) of each stage in order; each dataset begins
            with its own step 0. The last stage may have None: it is endless.
        first_step: Step of `dataset[0]`, for a resumed run.
        **kwargs: Arguments of `keras.utils.PyDataset`, such as `workers`.

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

    # Tells the training step that shapes differ between batches.
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
                "`stages` must be pairs of a dataset and its steps; only the "
                f"last steps may be None. Received: steps {steps}."
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
        """Steps of one pass over the text, in the last stage."""
        return self.datasets[-1].steps_per_pass

    def describe_data(self) -> dict[str, dict[str, Any]]:
        """Describes the data of all stages, for `check_same_data`."""
        first, *others = [data.describe_data() for data in self.datasets]
        if all(other == first for other in others):
            return first
        return {
            f"{role} of stage {number}": description
            for number, stage in enumerate([first, *others], 1)
            for role, description in stage.items()
        }

    def __getitem__(self, index):
        return self.batch(self.first_step + index)

    def batch(self, step: int) -> tuple:
        """The batch of a step, counted from the start of training."""
        stage = int(np.searchsorted(self._begins, step, "right")) - 1
        return self.datasets[stage].batch(step - int(self._begins[stage]))
