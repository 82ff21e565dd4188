"""Models that are compared with Hugging Face's, and their inputs."""

import numpy as np

# By the names of Hugging Face's configuration. Several groups and inner
# repetitions, both GELUs and ReLU, and different widths, so that transposed or
# exchanged weights are noticed.
SMALL = dict(
    vocab_size=40,
    embedding_size=6,
    hidden_size=8,
    num_hidden_layers=4,
    num_attention_heads=2,
    intermediate_size=12,
    max_position_embeddings=16,
    num_hidden_groups=1,
    inner_group_num=1,
    hidden_act="gelu_new",
)
GROUPS = dict(SMALL, num_hidden_groups=2, inner_group_num=2, hidden_act="gelu")
RELU = dict(
    SMALL, num_hidden_groups=4, num_attention_heads=4, hidden_act="relu"
)
BASE = dict(
    vocab_size=30000,
    embedding_size=128,
    hidden_size=768,
    num_hidden_layers=12,
    num_attention_heads=12,
    intermediate_size=3072,
    max_position_embeddings=512,
    hidden_act="gelu_new",
)
# By name: (Hugging Face's class, our class, configuration).
CASES = {
    "bare": ("AlbertModel", "AlbertBackbone", SMALL),
    "pretraining": ("AlbertForPreTraining", "AlbertForPretraining", SMALL),
    "pretraining_groups": (
        "AlbertForPreTraining",
        "AlbertForPretraining",
        GROUPS,
    ),
    "masked_lm": ("AlbertForMaskedLM", "AlbertForMaskedLM", RELU),
    "question_answering": (
        "AlbertForQuestionAnswering",
        "AlbertForQuestionAnswering",
        GROUPS,
    ),
    "sequence_classification": (
        "AlbertForSequenceClassification",
        "AlbertForSequenceClassification",
        dict(GROUPS, num_labels=3),
    ),
    "token_classification": (
        "AlbertForTokenClassification",
        "AlbertForTokenClassification",
        dict(SMALL, num_labels=5),
    ),
    "multiple_choice": (
        "AlbertForMultipleChoice",
        "AlbertForMultipleChoice",
        SMALL,
    ),
}


def make_inputs(case, rows=3, length=10):
    """Makes a padded int32 batch by our names."""
    vocabulary_size = CASES[case][2]["vocab_size"] if case in CASES else 30000
    rng = np.random.default_rng(7)
    shape = (rows, 2, length) if case == "multiple_choice" else (rows, length)
    position = np.arange(length)
    lengths = rng.integers(length // 2, length + 1, shape[:-1])[..., None]
    lengths[0] = length
    return {
        "token_ids": rng.integers(0, vocabulary_size, shape, "int32"),
        "segment_ids": (position >= lengths // 2).astype("int32"),
        "padding_mask": (position < lengths).astype("int32"),
    }
