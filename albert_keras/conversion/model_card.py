"""Writes the model card: `README.md` with metadata for hubs."""

import json

from albert_keras.conversion.pretrained_parts import PretrainedParts

CARD_FILE = "README.md"
# Metadata fields of the Hugging Face Hub.
_METADATA = ("license", "language", "datasets", "base_model")
_PIPELINES = {
    "AlbertForMaskedLM": "fill-mask",
    "AlbertForPretraining": "fill-mask",
    "AlbertForSequenceClassification": "text-classification",
    "AlbertForQuestionAnswering": "question-answering",
    "AlbertForTokenClassification": "token-classification",
    "AlbertForMultipleChoice": "multiple-choice",
}
_LIBRARIES = {
    "keras": "keras",
    "keras_hub": "keras-hub",
    "huggingface": "transformers",
    "google": "tensorflow",
}


def model_card(parts: PretrainedParts, format: str) -> str:
    """Returns the text of a model card.

    Args:
        parts: `PretrainedParts`. All fields of its `card` are optional:
            `license`, `language`, `datasets`, `base_model` (metadata);
            `name`; `data` (a sentence); `training` and `scores`
            (dictionaries).
        format: The format of the files next to the card.

    Returns:
        Markdown with YAML front matter. Unknown fields are omitted.
    """
    card = parts.card
    metadata = {
        "library_name": _LIBRARIES[format],
        "tags": ["albert"],
        **{key: card[key] for key in _METADATA if card.get(key)},
    }
    if parts.model_class in _PIPELINES:
        metadata["pipeline_tag"] = _PIPELINES[parts.model_class]
    sections = [
        _front_matter(metadata),
        f"# {card.get('name', 'ALBERT')}\n",
        _size(parts),
    ]
    if card.get("data"):
        sections.append(f"## Data\n\n{card['data']}\n")
    for title in ("training", "scores"):
        if card.get(title):
            sections.append(f"## {title.title()}\n\n{_table(card[title])}")
    sections.append(_usage(parts.model_class))
    return "\n".join(sections)


def _front_matter(metadata):
    # JSON values are YAML values.
    lines = [
        f"{key}: {json.dumps(value, ensure_ascii=False)}"
        for key, value in metadata.items()
    ]
    return "\n".join(["---", *lines, "---", ""])


def _size(parts):
    c = parts.config
    return (
        f"ALBERT ([Lan et al. 2019](https://arxiv.org/abs/1909.11942)) with "
        f"{parts.num_parameters:,} parameters: {c.num_layers} layers that "
        f"share {c.num_groups * c.num_inner_repetitions} block(s), hidden "
        f"width {c.hidden_dim}, {c.num_heads} heads, embeddings of "
        f"{c.embedding_dim}, {c.vocabulary_size:,} pieces, "
        f"{c.max_sequence_length} positions.\n"
    )


def _table(values):
    rows = [f"| {key} | {value} |" for key, value in values.items()]
    return "\n".join(["| | |", "| --- | --- |", *rows, ""])


def _usage(model_class):
    return (
        "## Use\n\n```python\nimport albert_keras as ak\n\n"
        f'model = ak.{model_class}.from_pretrained("DIRECTORY")\n'
        'tokenizer = ak.AlbertTokenizer.from_pretrained("DIRECTORY")\n```\n'
    )
