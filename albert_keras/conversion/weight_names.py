"""The table of all weights: name, shape and layout in each format.

Shapes are given as fields of `AlbertConfig`; `num_classes` is the head's.
Readers and writers use only the names in this table. `{group}` and `{block}`
are the indices of the group and of the block in it.

A format whose layout differs from this package's has one of these:

- `transposed`: (out, in) for our (in, out).
- `output_heads`: (H, N, d) for our (H, N d), and (N, d) for (N d,).
- `input_heads`: (N, d, H) for our (N d, H).

N is `num_heads` and d = H / N; the head is the slower index.
"""

import dataclasses

from albert_keras.config import AlbertConfig

V, E, H = "vocabulary_size", "embedding_dim", "hidden_dim"
INTERMEDIATE, CLASSES = "intermediate_dim", "num_classes"
POSITIONS, SEGMENTS = "max_sequence_length", "num_segments"


@dataclasses.dataclass(frozen=True)
class Stored:
    """Name and layout of a weight in one format."""

    name: str
    layout: str = "same"


@dataclasses.dataclass(frozen=True)
class Weight:
    """A weight: its name and shape here, and how other formats store it."""

    name: str
    shape: tuple
    google: Stored | None = None
    huggingface: Stored | None = None
    keras_hub: Stored | None = None

    def stored(self, format):
        """Returns its `Stored` in a format; None if the format lacks it."""
        if format == "keras":
            return Stored(self.name)
        return getattr(self, format)


def _array(name, shape, google, huggingface, keras_hub):
    places = (google, huggingface, keras_hub)
    return [Weight(name, shape, *(p and Stored(p) for p in places))]


def _layer_norm(name, width, google, huggingface, keras_hub):
    return [
        Weight(
            f"{name}/{ours}",
            (width,),
            Stored(f"{google}/{ours}"),
            Stored(f"{huggingface}.{theirs}"),
            Stored(f"{keras_hub}/{ours}"),
        )
        for ours, theirs in (("gamma", "weight"), ("beta", "bias"))
    ]


def _dense(
    name, shape, google, huggingface, keras_hub, kernel="same", bias="same"
):
    """Kernel and bias; `kernel` and `bias` are the layouts in KerasHub."""
    return [
        Weight(
            f"{name}/kernel",
            shape,
            Stored(f"{google}/kernel"),
            Stored(f"{huggingface}.weight", "transposed"),
            Stored(f"{keras_hub}/kernel", kernel),
        ),
        Weight(
            f"{name}/bias",
            shape[1:],
            Stored(f"{google}/bias"),
            Stored(f"{huggingface}.bias"),
            Stored(f"{keras_hub}/bias", bias),
        ),
    ]


def _classifier(name, shape, google, huggingface, keras_hub=None):
    """Kernel and bias of a head, which Google stores as (out, in)."""
    return [
        Weight(
            f"{name}/kernel",
            shape,
            Stored(f"{google}output_weights", "transposed"),
            Stored(f"{huggingface}.weight", "transposed"),
            keras_hub and Stored(f"{keras_hub}/kernel"),
        ),
        Weight(
            f"{name}/bias",
            shape[1:],
            Stored(f"{google}output_bias"),
            Stored(f"{huggingface}.bias"),
            keras_hub and Stored(f"{keras_hub}/bias"),
        ),
    ]


_OURS = "backbone/encoder/group_{group}_block_{block}"
_GOOGLE = "bert/encoder/transformer/group_{group}/inner_group_{block}"
_HUGGING_FACE = (
    "albert.encoder.albert_layer_groups.{group}.albert_layers.{block}"
)
_KERAS_HUB = "group_{group}_inner_layer_{block}"

EMBEDDINGS = [
    *_array(
        "backbone/embeddings/token_embedding",
        (V, E),
        "bert/embeddings/word_embeddings",
        "albert.embeddings.word_embeddings.weight",
        "token_embedding/embeddings",
    ),
    *_array(
        "backbone/embeddings/segment_embedding",
        (SEGMENTS, E),
        "bert/embeddings/token_type_embeddings",
        "albert.embeddings.token_type_embeddings.weight",
        "segment_embedding/embeddings",
    ),
    *_array(
        "backbone/embeddings/position_embedding",
        (POSITIONS, E),
        "bert/embeddings/position_embeddings",
        "albert.embeddings.position_embeddings.weight",
        "position_embedding/embeddings",
    ),
    *_layer_norm(
        "backbone/embeddings/layer_norm",
        E,
        "bert/embeddings/LayerNorm",
        "albert.embeddings.LayerNorm",
        "embeddings_layer_norm",
    ),
]
# Google's model has no projection if E = H.
PROJECTION = _dense(
    "backbone/embeddings/projection",
    (E, H),
    "bert/encoder/embedding_hidden_mapping_in",
    "albert.encoder.embedding_hidden_mapping_in",
    "embedding_projection",
)
BLOCK = [
    *(
        weight
        for name in ("query", "key", "value")
        for weight in _dense(
            f"{_OURS}/self_attention/{name}",
            (H, H),
            f"{_GOOGLE}/attention_1/self/{name}",
            f"{_HUGGING_FACE}.attention.{name}",
            f"{_KERAS_HUB}/self_attention_layer/{name}",
            kernel="output_heads",
            bias="output_heads",
        )
    ),
    *_dense(
        f"{_OURS}/self_attention/output",
        (H, H),
        f"{_GOOGLE}/attention_1/output/dense",
        f"{_HUGGING_FACE}.attention.dense",
        f"{_KERAS_HUB}/self_attention_layer/attention_output",
        kernel="input_heads",
    ),
    *_layer_norm(
        f"{_OURS}/attention_layer_norm",
        H,
        f"{_GOOGLE}/LayerNorm",
        f"{_HUGGING_FACE}.attention.LayerNorm",
        f"{_KERAS_HUB}/self_attention_layer_norm",
    ),
    *_dense(
        f"{_OURS}/intermediate",
        (H, INTERMEDIATE),
        f"{_GOOGLE}/ffn_1/intermediate/dense",
        f"{_HUGGING_FACE}.ffn",
        f"{_KERAS_HUB}/feedforward_intermediate_dense",
    ),
    # Google's scopes are nested: the output is inside the intermediate scope.
    *_dense(
        f"{_OURS}/feed_forward_output",
        (INTERMEDIATE, H),
        f"{_GOOGLE}/ffn_1/intermediate/output/dense",
        f"{_HUGGING_FACE}.ffn_output",
        f"{_KERAS_HUB}/feedforward_output_dense",
    ),
    *_layer_norm(
        f"{_OURS}/feed_forward_layer_norm",
        H,
        f"{_GOOGLE}/LayerNorm_1",
        f"{_HUGGING_FACE}.full_layer_layer_norm",
        f"{_KERAS_HUB}/feedforward_layer_norm",
    ),
]
# For `pre_layer_norm`, which no other format has.
FINAL_LAYER_NORM = [
    Weight(f"backbone/encoder/final_layer_norm/{name}", (H,))
    for name in ("gamma", "beta")
]
POOLER = _dense(
    "backbone/pooler",
    (H, H),
    "bert/pooler/dense",
    "albert.pooler",
    "pooled_dense",
)
MASKED_LM_HEAD = [
    *_dense(
        "mlm_head/transform",
        (H, E),
        "cls/predictions/transform/dense",
        "predictions.dense",
        "mlm_head/intermediate_dense",
    ),
    *_layer_norm(
        "mlm_head/layer_norm",
        E,
        "cls/predictions/transform/LayerNorm",
        "predictions.LayerNorm",
        "mlm_head/intermediate_layer_norm",
    ),
    *_array(
        "mlm_head/output_bias",
        (V,),
        "cls/predictions/output_bias",
        "predictions.bias",
        "mlm_head/output_bias",
    ),
]
SENTENCE_ORDER_HEAD = _classifier(
    "sop_head", (H, 2), "cls/seq_relationship/", "sop_classifier.classifier"
)
SPAN_HEAD = _classifier("span_head", (H, 2), "cls/squad/", "qa_outputs")
# Google's belongs to a different kind of span head, which is not read here.
ANSWERABILITY_HEAD = [
    Weight("answerability_head/dense/kernel", ((2, H), H)),
    Weight("answerability_head/dense/bias", (H,)),
    Weight("answerability_head/logit/kernel", (H, 1)),
]
# Of sequences, choices and tokens: all have the same name in each format.
CLASSIFIER = _classifier("classifier", (H, CLASSES), "", "classifier", "logits")

HEADS = {
    "mlm_head": MASKED_LM_HEAD,
    "sop_head": SENTENCE_ORDER_HEAD,
    "span_head": SPAN_HEAD,
    "answerability_head": ANSWERABILITY_HEAD,
    "classifier": CLASSIFIER,
}


def weights_of(config: AlbertConfig) -> list[Weight]:
    """Lists every weight that a model of a configuration can have.

    Args:
        config: An `AlbertConfig`.

    Returns:
        A list of `Weight` with numeric shapes; None stands for the head's
        number of classes.
    """
    blocks = [
        (group, block)
        for group in range(config.num_groups)
        for block in range(config.num_inner_repetitions)
    ]
    weights = [*EMBEDDINGS, *PROJECTION]
    for group, block in blocks:
        weights += [_numbered(weight, group, block) for weight in BLOCK]
    if config.pre_layer_norm:
        weights += FINAL_LAYER_NORM
    weights += POOLER
    for head in HEADS.values():
        weights += head
    return [_sized(weight, config) for weight in weights]


def stored_shape(shape, layout, num_heads):
    """Returns the shape in a layout for a shape in this package."""
    if layout == "transposed":
        return tuple(reversed(shape))
    if layout == "output_heads":
        return (*shape[:-1], num_heads, shape[-1] // num_heads)
    if layout == "input_heads":
        return (num_heads, shape[0] // num_heads, *shape[1:])
    return tuple(shape)


def _numbered(weight, group, block):
    def number(stored):
        return stored and dataclasses.replace(
            stored, name=stored.name.format(group=group, block=block)
        )

    return Weight(
        weight.name.format(group=group, block=block),
        weight.shape,
        number(weight.google),
        number(weight.huggingface),
        number(weight.keras_hub),
    )


def _sized(weight, config):
    shape = tuple(_size(size, config) for size in weight.shape)
    return dataclasses.replace(weight, shape=shape)


def _size(size, config):
    """Resolves a number, a field, or (factor, field) to a number."""
    if isinstance(size, tuple):
        factor, field = size
        return factor * getattr(config, field)
    return size if isinstance(size, int) else getattr(config, size, None)
