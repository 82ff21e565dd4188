"""Every model of the package as an ONNX graph: the encoder and its heads."""

from typing import Any

import numpy as np

from albert_keras.conversion.pretrained_parts import PretrainedParts
from albert_keras.exporting.onnx_encoder import INPUTS, OnnxEncoder
from albert_keras.exporting.onnx_nodes import OnnxNodes

_TOKENS = ("batch", "length")
_CHOICES = ("batch", "choices", "length")
_POSITIONS = ("batch", "positions")


def onnx_model(parts: PretrainedParts) -> Any:
    """Returns a model as an `onnx.ModelProto` in float32.

    Inputs and outputs have the names and shapes of the Keras model's: int32,
    of any number of rows and any length up to `max_sequence_length`. All
    inputs are needed: `token_ids`, `segment_ids`, `padding_mask`; for masks
    `mask_positions`; for question answering with an answerability head
    `answer_mask`. A weight that layers share is stored once.

    Args:
        parts: The model; its kernels must be floats.

    Raises:
        ValueError: If layers are quantized, or the class is unknown.
    """
    if parts.quantized_layers:
        raise ValueError(
            "A model is exported from weights in floats. Received: "
            f"{len(parts.quantized_layers)} layers of int8 in {parts.source}. "
            'Export the model from before `quantize`, with `precision="int8"`.'
        )
    if parts.model_class not in _HEADS:
        raise ValueError(
            f"The class of the model must be one of {tuple(_HEADS)}. "
            f"Received: {parts.model_class!r}."
        )
    nodes = OnnxNodes()
    weights = {k: np.asarray(v, "float32") for k, v in parts.weights.items()}
    encoder = OnnxEncoder(nodes, parts.config, weights)
    _HEADS[parts.model_class](encoder, parts.arguments)
    return nodes.model(parts.model_class, "albert_keras")


def _backbone(encoder, arguments):
    x = _encode_tokens(encoder)
    width = encoder.config.hidden_dim
    encoder.nodes.output(
        "sequence_output", encoder.sequence(x), (*_TOKENS, width)
    )
    encoder.nodes.output("pooled_output", encoder.pool(x), ("batch", width))


def _sequences(encoder, arguments):
    x = _encode_tokens(encoder)
    logits = encoder.dense(encoder.pool(x), "classifier")
    classes = arguments.get("num_classes", 2)
    encoder.nodes.output("logits", logits, ("batch", classes))


def _tokens(encoder, arguments):
    x = encoder.sequence(_encode_tokens(encoder))
    logits = encoder.dense(x, "classifier")
    classes = arguments.get("num_classes", 2)
    encoder.nodes.output("logits", logits, (*_TOKENS, classes))


def _choices(encoder, arguments):
    nodes = encoder.nodes
    inputs = [nodes.input(name, _CHOICES) for name in INPUTS]
    length = nodes.add("Shape", inputs[0], start=2, end=3)
    rows = nodes.add("Concat", nodes.integers(-1), length, axis=0)
    flat = [nodes.add("Reshape", tensor, rows) for tensor in inputs]
    pooled = encoder.pool(encoder.encode(*flat))
    shape = nodes.add("Shape", inputs[0], start=0, end=2)
    scores = encoder.dense(pooled, "classifier")  # (B C, 1)
    logits = nodes.add("Reshape", scores, shape)
    nodes.output("logits", logits, _CHOICES[:2])


def _answers(encoder, arguments):
    nodes = encoder.nodes
    x = encoder.sequence(_encode_tokens(encoder))
    with_head = arguments.get("answerability_head", False)
    masks = ["padding_mask"]
    if with_head:
        masks.append(nodes.input("answer_mask", _TOKENS))
    logits = encoder.dense(x, "span_head")  # (B, T, 2)
    start, end = (
        nodes.add("Squeeze", part, nodes.integers(2))
        for part in nodes.add(
            "Split", logits, outputs=2, num_outputs=2, axis=-1
        )
    )
    never = nodes.constant("never", np.float32(-30000.0))
    for mask in masks:
        allowed = nodes.cast(mask, _BOOL)
        start = nodes.add("Where", allowed, start, never)
        end = nodes.add("Where", allowed, end, never)
    nodes.output("start_logits", start, _TOKENS)
    nodes.output("end_logits", end, _TOKENS)
    if with_head:
        p = nodes.add("Softmax", start, axis=-1)
        p = nodes.add("Unsqueeze", p, nodes.integers(1))
        expected = encoder.first(nodes.add("MatMul", p, x))  # (B, H)
        both = nodes.add("Concat", expected, encoder.first(x), axis=-1)
        hidden = encoder.dense(both, "answerability_head/dense")
        hidden = nodes.add("Tanh", hidden)
        kernel = encoder.weight("answerability_head/logit/kernel")
        logit = nodes.add("MatMul", hidden, kernel)
        logit = nodes.add("Squeeze", logit, nodes.integers(1))
        nodes.output("answerable_logits", logit, ("batch",))


def _pretraining(encoder, arguments):
    x = _predict_masks(encoder, arguments)
    logits = encoder.dense(encoder.pool(x), "sop_head")
    encoder.nodes.output("sop_logits", logits, ("batch", 2))


def _predict_masks(encoder, arguments):
    """Adds encoder and MLM head, and returns the encoder's output."""
    nodes, vocabulary = encoder.nodes, encoder.config.vocabulary_size
    encoded = _encode_tokens(encoder)
    x = encoder.sequence(encoded)
    positions = nodes.input("mask_positions", _POSITIONS)
    index = nodes.add("Unsqueeze", positions, nodes.integers(2))
    index = nodes.cast(index, _INT64)
    x = nodes.add("GatherND", x, index, batch_dims=1)  # (B, P, H)
    x = encoder.activation(encoder.dense(x, "mlm_head/transform"))
    x = encoder.layer_norm(
        x, "mlm_head/layer_norm", arguments.get("head_epsilon")
    )
    table = encoder.weight("backbone/embeddings/token_embedding")
    product = nodes.add("MatMul", x, nodes.add("Transpose", table))
    logits = nodes.add("Add", product, encoder.weight("mlm_head/output_bias"))
    nodes.output("mlm_logits", logits, (*_POSITIONS, vocabulary))
    return encoded


def _encode_tokens(encoder):
    inputs = [encoder.nodes.input(name, _TOKENS) for name in INPUTS]
    return encoder.encode(*inputs)


_BOOL, _INT64 = 9, 7  # of `onnx.TensorProto`
_HEADS = {
    "AlbertBackbone": _backbone,
    "AlbertForMaskedLM": _predict_masks,
    "AlbertForMultipleChoice": _choices,
    "AlbertForPretraining": _pretraining,
    "AlbertForQuestionAnswering": _answers,
    "AlbertForSequenceClassification": _sequences,
    "AlbertForTokenClassification": _tokens,
}
