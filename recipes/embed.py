"""Embeds texts as vectors, or fine-tunes a model so that they mean something.

    python recipes/embed.py --pretrained runs/base --input_file texts.csv \
        --output_file embeddings.npy

writes an array with a row for each text: the mean of the encoder's last layer
over its tokens, of length 1. A .parquet, .jsonl or .csv file as output has the
columns of the input and `embedding`.

    python recipes/embed.py --mode train --pretrained runs/base \
        --train_file pairs.csv --text_column question --pair_column answer \
        --output_dir runs/pairs

fine-tunes on pairs of texts that belong together, such as questions and
answers: each text must find its partner among those of the batch (in-batch
negatives; Gao et al. 2021, arXiv:2104.08821). More pairs in a micro-batch
(`--batch_size`) are a harder task, and usually better embeddings. The run
directory contains settings, metrics, checkpoints, and with `--dev_file` in
`best/` the model with the best mean reciprocal rank. The same command with
`--resume` continues an interrupted run.
"""

import dataclasses

from albert_keras import AlbertBackbone
from albert_keras.data.tables.text_table import TextColumns, read_text_table
from albert_keras.data.tasks.text_pairs import TextPairs
from albert_keras.evaluation.pair_evaluation import PairEvaluation
from albert_keras.models.texts.pair_encoder import TextPairEncoder
from albert_keras.workflows.evaluate import (
    by_mode,
    describer,
    make_examples,
    say_report,
)
from albert_keras.workflows.finetune import Task, finetune
from albert_keras.workflows.settings.embedding_settings import (
    EMBEDDING_DEFAULTS,
    EmbeddingSettings,
)
from albert_keras.workflows.settings.parse_settings import run_recipe
from albert_keras.workflows.table_embedding import embed_table


def main(argv=None):
    run = by_mode(embed=embed, train=train)
    return run_recipe("embed", run, EmbeddingSettings, argv)


def embed(settings, tokenizer):
    """Embeds the texts of a table, and returns the path of the output."""
    backbone = AlbertBackbone.from_pretrained(
        settings.pretrained, dtype=settings.precision
    )
    return embed_table(settings, backbone, tokenizer)


def train(settings, tokenizer):
    """Fine-tunes on pairs, and returns the run directory."""
    columns = TextColumns(settings.text_column, settings.pair_column)
    if settings.dev_file:  # its columns are checked before anything is done
        columns.open(settings.dev_file, settings.encoding)
    table, training = make_pairs(settings, tokenizer, columns, "train_file")
    evaluation = None
    if settings.dev_file:
        dev, examples = make_pairs(settings, tokenizer, columns, "dev_file")
        evaluation = PairEvaluation(
            dev.texts, examples, settings.eval_batch_size
        )
    return finetune(
        settings,
        Task(
            name="embeddings",
            defaults=EMBEDDING_DEFAULTS,
            training=training,
            tokenizer=tokenizer,
            model_class=TextPairEncoder,
            arguments={"temperature": settings.temperature},
            evaluation=evaluation,
            card=f"{len(table):,} pairs of {table.path}.",
            report=table.unusable,
            describe_data=describer(settings, "train_file", "dev_file"),
        ),
    )


def make_pairs(settings, tokenizer, columns, name):
    """The usable rows of a file, and their encoding."""
    path = getattr(settings, name)
    table = read_text_table(path, columns, settings.encoding)
    say_report(path, table.num_rows, table.unusable)
    length = settings.max_seq_length or EMBEDDING_DEFAULTS.max_seq_length
    pairs = make_examples(
        settings,
        lambda **kwargs: TextPairs(
            table.texts,
            tokenizer,
            length,
            source=path if settings.cache else None,
            **kwargs,
        ),
    )
    cut = [table.lines[index] for index in pairs.cut.tolist()]
    report = {f"pairs have a text truncated to {length} tokens": cut}
    say_report(path, len(table), report)
    unusable = {**table.unusable, **report}
    return dataclasses.replace(table, unusable=unusable), pairs


if __name__ == "__main__":
    main()
