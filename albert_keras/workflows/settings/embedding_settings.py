"""Settings of the recipe for embeddings of texts."""

import dataclasses
from typing import ClassVar, Literal

from albert_keras.workflows.settings.finetuning_settings import (
    FinetuningSettings,
    TaskDefaults,
)
from albert_keras.workflows.settings.run_settings import order_fields
from albert_keras.workflows.settings.task_settings import check_mode

# Of supervised SimCSE for base-sized models (Gao et al. 2021, appendix A:
# batches of 512, a rate of 5e-5, 3 epochs), with a batch for smaller data; the
# learning rate is that of BERT's fine-tuning.
EMBEDDING_DEFAULTS = TaskDefaults(
    learning_rate=3e-5,
    global_batch_size=64,
    warmup_share=0.1,
    max_seq_length=128,
    epochs=3,
)


@order_fields
@dataclasses.dataclass(frozen=True, kw_only=True)
class EmbeddingSettings(FinetuningSettings):
    """Embeds the texts of a table, or fine-tunes embeddings on pairs."""

    output_dir: str | None = None  # type: ignore[assignment]
    """Run directory of `--mode train`."""

    mode: Literal["embed", "train"] = "embed"
    """Embed the texts of `input_file`; or fine-tune on the pairs of
    `train_file`."""

    input_file: str | None = None
    """CSV, TSV, JSON Lines or Parquet file with a text per row."""

    output_file: str | None = None
    """An array as .npy, with a row for each of `input_file`; or a table
    (Parquet, JSON Lines, CSV): its columns and `embedding`."""

    train_file: str | None = None
    """File of the same formats with two texts of the same meaning per row."""

    dev_file: str | None = None
    """File with the same columns to evaluate on."""

    text_column: str = "text"
    """Column of the texts."""

    pair_column: str = "pair"
    """Column of the second texts of `train_file` and `dev_file`."""

    encoding: str | None = None
    """Encoding of CSV and TSV files; by default found out."""

    group_by_length: bool = False
    """Batch pairs of similar length, for less padding: the negatives then
    have similar lengths, too."""

    temperature: float = 0.05
    """Divides the cosine similarities in the loss (Gao et al. 2021)."""

    normalize: bool = True
    """Scale embeddings to length 1, so that products are cosine similarities.
    """

    POSITIVE: ClassVar[frozenset[str]] = FinetuningSettings.POSITIVE | {
        "temperature"
    }

    def check(self) -> None:
        super().check()
        check_mode(
            self,
            embed=("input_file", "output_file"),
            train=("train_file", "output_dir"),
        )
        if self.batch_size == 1:
            raise ValueError(
                "--batch_size must be at least 2: the other pairs of a batch "
                "are the negatives. Received: 1."
            )
