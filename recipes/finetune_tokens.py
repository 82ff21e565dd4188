"""Fine-tunes ALBERT to tag words, evaluates it, or tags a file.

    python recipes/finetune_tokens.py --pretrained runs/tiny \
        --train_file eng.train --dev_file eng.testa --output_dir runs/ner

The files have one word per line with its tag in the last column, and blank
lines between sentences, as in CoNLL-2003. The run directory contains settings,
metrics (CSV, TensorBoard, curves.png), checkpoints, predictions, and in `best/`
the model with the best F1, saved with the names of the tags. The same command
with `--resume` continues an interrupted run.

    python recipes/finetune_tokens.py --mode evaluate \
        --pretrained runs/ner/best --dev_file eng.testb --output_dir runs/testb
    python recipes/finetune_tokens.py --mode predict \
        --pretrained runs/ner/best --test_file words.txt --output_dir runs/tags
"""

from albert_keras import AlbertForTokenClassification
from albert_keras.data.tasks.conll import read_conll
from albert_keras.data.tasks.token_windows import TokenWindows
from albert_keras.evaluation.token_evaluation import (
    PREDICTIONS_FILE,
    TokenEvaluation,
    token_predictions,
    write_predictions,
)
from albert_keras.training import distributed
from albert_keras.workflows.evaluate import (
    by_mode,
    claim,
    describer,
    evaluate_alone,
    load_fine_tuned,
    make_examples,
    predict_alone,
    say_report,
)
from albert_keras.workflows.finetune import Task, finetune
from albert_keras.workflows.settings.parse_settings import run_recipe
from albert_keras.workflows.settings.task_settings import (
    TOKEN_DEFAULTS,
    TokenSettings,
)


def main(argv=None):
    run = by_mode(train=train, evaluate=evaluate, predict=predict)
    return run_recipe("finetune_tokens", run, TokenSettings, argv)


def train(settings, tokenizer):
    """Fine-tunes and evaluates a model, and returns the run directory."""
    conll = read_conll(settings.train_file)
    names = conll.tag_names
    training, report = make_windows(settings, tokenizer, conll, names)
    evaluation = None
    if settings.dev_file:
        dev = read_conll(settings.dev_file)
        windows, _ = make_windows(settings, tokenizer, dev, names)
        evaluation = TokenEvaluation(windows, settings.eval_batch_size)

    return finetune(
        settings,
        Task(
            name="token classification",
            defaults=TOKEN_DEFAULTS,
            training=training,
            tokenizer=tokenizer,
            model_class=AlbertForTokenClassification,
            arguments={"num_classes": len(names), "class_names": names},
            evaluation=evaluation,
            card=(
                f"{conll.num_words:,} words in {len(conll.sentences):,} "
                f"sentences of {conll.path}, with the tags "
                f"{', '.join(names)}."
            ),
            report=report,
            describe_data=describer(settings, "train_file", "dev_file"),
        ),
    )


def evaluate(settings, tokenizer):
    """Evaluates a fine-tuned model on the dev file, and returns the metrics."""
    output_dir = claim(settings, PREDICTIONS_FILE)
    conll = read_conll(settings.dev_file)
    model, windows = load_with_windows(settings, tokenizer, conll)
    evaluation = TokenEvaluation(windows, settings.eval_batch_size)
    return evaluate_alone(evaluation, model, [windows], output_dir)


def predict(settings, tokenizer):
    """Tags the words of a file, and returns the path of the tagged file."""
    output_dir = claim(settings, PREDICTIONS_FILE)
    conll = read_conll(settings.test_file, has_tags=False)
    model, windows = load_with_windows(settings, tokenizer, conll)
    tags = predict_alone(token_predictions, settings, model, windows)
    path = output_dir / PREDICTIONS_FILE
    if distributed.rank() == 0:
        write_predictions(output_dir, conll, tags)
        print(f"{path}: {conll.num_words:,} words.")
    return path


# === Shared by the modes ===


def make_windows(settings, tokenizer, conll, tag_names):
    """The encoded words of a file, and what was truncated or not used."""
    length = settings.max_seq_length or TOKEN_DEFAULTS.max_seq_length
    windows = make_examples(
        settings,
        lambda **kwargs: TokenWindows(
            conll,
            tag_names,
            tokenizer,
            length,
            source=conll.path if settings.cache else None,
            **kwargs,
        ),
    )
    report = {
        f"words were truncated to {length - 2} tokens (line: word)": [
            f"{line}: {word}" for line, word in windows.cut_words
        ],
        "words have a tag that the model does not know (line: tag)": [
            f"{line}: {tag}" for line, tag in windows.unknown_tags
        ],
    }
    say_report(conll.path, conll.num_words, report)
    if windows.num_cut_sentences:
        distributed.say(
            f"{conll.path}: {windows.num_cut_sentences:,} of "
            f"{len(conll.sentences):,} sentences are split into windows."
        )
    return windows, report


def load_with_windows(settings, tokenizer, conll):
    """A fine-tuned model, and the encoded words of a file."""
    model = load_fine_tuned(settings, AlbertForTokenClassification)
    if model.class_names is None:
        raise ValueError(
            f"{settings.pretrained} does not name its classes, so their tags "
            "are unknown. Pass a directory written by this recipe, or one of "
            "Hugging Face with `id2label`."
        )
    windows, _ = make_windows(settings, tokenizer, conll, model.class_names)
    return model, windows


if __name__ == "__main__":
    main()
