"""ALBERT's encoder as operators of ONNX.

Written out instead of traced: with the operators LayerNormalization and Gelu,
for which runtimes have kernels, and without the arithmetic of shapes that a
converter adds. (tf2onnx 1.17.0 takes 38 s for `base`, and its graph fails: an
optimizer of its own removes a reshape whose shape is read later.)

Shapes: B sequences of T tokens of width H, and N heads of width d = H / N.
"""

import math

import numpy as np
from onnx import TensorProto

from albert_keras.config import AlbertConfig
from albert_keras.exporting.onnx_nodes import OnnxNodes

INPUTS = ("token_ids", "segment_ids", "padding_mask")
# As `attention_bias_from_mask`.
_MASKED = -30000.0


class OnnxEncoder:
    """Adds the encoder of a model to a graph.

    Args:
        nodes: The `OnnxNodes` to add to.
        config: The `AlbertConfig`.
        weights: float32 arrays by the names of `weight_names`.
    """

    def __init__(
        self,
        nodes: OnnxNodes,
        config: AlbertConfig,
        weights: dict[str, np.ndarray],
    ) -> None:
        self.nodes = nodes
        self.config = config
        self.weights = weights

    # === Parts that heads use, too ===

    def weight(self, name: str) -> str:
        """The constant of a weight, stored once."""
        return self.nodes.constant(name, self.weights[name])

    def dense(self, x: str, name: str) -> str:
        """x W + b, with the weights `name/kernel` and `name/bias`."""
        product = self.nodes.add("MatMul", x, self.weight(f"{name}/kernel"))
        return self.nodes.add("Add", product, self.weight(f"{name}/bias"))

    def layer_norm(
        self, x: str, name: str, epsilon: float | None = None
    ) -> str:
        """Layer normalization over the last axis."""
        return self.nodes.add(
            "LayerNormalization",
            x,
            self.weight(f"{name}/gamma"),
            self.weight(f"{name}/beta"),
            epsilon=epsilon or self.config.layer_norm_epsilon,
        )

    def activation(self, x: str) -> str:
        """The activation of the configuration."""
        if self.config.activation == "relu":
            return self.nodes.add("Relu", x)
        is_tanh = self.config.activation == "gelu_tanh"
        approximate = "tanh" if is_tanh else "none"
        return self.nodes.add("Gelu", x, approximate=approximate)

    def first(self, x: str) -> str:
        """x[:, 0] of x `(B, T, H)`: the rows of [CLS]."""
        first = self.nodes.constant("first", np.array(0, "int64"))
        return self.nodes.add("Gather", x, first, axis=1)

    # === The encoder ===

    def encode(
        self, token_ids: str, segment_ids: str, padding_mask: str
    ) -> str:
        """Adds the encoder, whose output `sequence` and `pool` finish.

        Args:
            token_ids, segment_ids, padding_mask: Tensors `(B, T)`.

        Returns:
            `(B, T, H)`.
        """
        x = self._embed(token_ids, segment_ids)
        self._is_token = self.nodes.cast(padding_mask, TensorProto.BOOL)
        bias = self._attention_bias(self._is_token)
        c = self.config
        for layer in range(c.num_layers):
            group = layer * c.num_groups // c.num_layers
            for block in range(c.num_inner_repetitions):
                name = f"backbone/encoder/group_{group}_block_{block}"
                x = self._apply_block(x, bias, name)
        if c.pre_layer_norm:
            x = self.layer_norm(x, "backbone/encoder/final_layer_norm")
        return x

    def sequence(self, x: str) -> str:
        """The sequence output of `AlbertBackbone`: 0 at padding."""
        is_token = self.nodes.add(
            "Unsqueeze", self._is_token, self.nodes.integers(2)
        )
        zero = self.nodes.constant("zero", np.float32(0))
        return self.nodes.add("Where", is_token, x, zero)

    def pool(self, x: str) -> str:
        """The pooled output of `AlbertBackbone`, `(B, H)`."""
        pooled = self.dense(self.first(x), "backbone/pooler")
        return self.nodes.add("Tanh", pooled)

    def _embed(self, token_ids, segment_ids):
        add, place = self.nodes.add, "backbone/embeddings"
        x = add("Gather", self.weight(f"{place}/token_embedding"), token_ids)
        segments = self.weight(f"{place}/segment_embedding")
        x = add("Add", x, add("Gather", segments, segment_ids))
        # Rows that are longer than the table do not fit to it: an error.
        length = add("Shape", token_ids, start=1, end=2)
        positions = add(
            "Slice",
            self.weight(f"{place}/position_embedding"),
            self.nodes.integers(0),
            length,
        )
        x = self.layer_norm(add("Add", x, positions), f"{place}/layer_norm")
        return self.dense(x, f"{place}/projection")

    def _attention_bias(self, is_token):
        """0, or -30000 at padding: `(B, 1, 1, T)`.

        A row without tokens attends to its first position.
        """
        add = self.nodes.add
        number = self.nodes.cast(is_token, TensorProto.FLOAT)
        count = add("ReduceSum", number, self.nodes.integers(1))  # (B, 1)
        zero = self.nodes.constant("zero", np.float32(0))
        is_empty = add("Equal", count, zero)
        index = add(
            "CumSum",
            add("Add", add("Mul", number, zero), _one(self.nodes)),
            self.nodes.constant("axis", np.array(1, "int64")),
        )  # 1, 2, 3, ...
        is_first = add("Equal", index, _one(self.nodes))
        is_key = add("Or", is_token, add("And", is_empty, is_first))
        masked = self.nodes.constant("masked", np.float32(_MASKED))
        bias = add("Where", is_key, zero, masked)
        return add("Unsqueeze", bias, self.nodes.integers(1, 2))

    def _apply_block(self, x, bias, name):
        add, pre = self.nodes.add, self.config.pre_layer_norm
        norms = [
            f"{name}/{part}_layer_norm"
            for part in ("attention", "feed_forward")
        ]
        y = self.layer_norm(x, norms[0]) if pre else x
        y = self._attend(y, bias, f"{name}/self_attention")
        x = add("Add", x, self.dense(y, f"{name}/self_attention/output"))
        x = x if pre else self.layer_norm(x, norms[0])
        y = self.layer_norm(x, norms[1]) if pre else x
        y = self.activation(self.dense(y, f"{name}/intermediate"))
        x = add("Add", x, self.dense(y, f"{name}/feed_forward_output"))
        return x if pre else self.layer_norm(x, norms[1])

    def _attend(self, x, bias, name):
        add = self.nodes.add
        heads, width = self.config.num_heads, self.config.hidden_dim
        qkv = add("MatMul", x, self._queries_keys_values(name, "kernel"))
        qkv = add("Add", qkv, self._queries_keys_values(name, "bias"))
        queries, keys, values = (
            self.nodes.reshape(part, 0, 0, heads, width // heads)
            for part in add("Split", qkv, outputs=3, num_outputs=3, axis=-1)
        )
        q = add("Transpose", queries, perm=[0, 2, 1, 3])  # (B, N, T, d)
        k = add("Transpose", keys, perm=[0, 2, 3, 1])  # (B, N, d, T)
        v = add("Transpose", values, perm=[0, 2, 1, 3])
        scores = add("Add", add("MatMul", q, k), bias)  # (B, N, T, T)
        context = add("MatMul", add("Softmax", scores, axis=-1), v)
        context = add("Transpose", context, perm=[0, 2, 1, 3])
        return self.nodes.reshape(context, 0, 0, width)

    def _queries_keys_values(self, name, part):
        """Kernels or biases of all three; see `SelfAttention.weights_for`."""
        q, k, v = (
            self.weights[f"{name}/{kind}/{part}"]
            for kind in ("query", "key", "value")
        )
        scale = 1 / math.sqrt(self.config.hidden_dim // self.config.num_heads)
        if part == "bias":
            k = np.zeros_like(k)
        joined = np.concatenate([np.float32(scale) * q, k, v], axis=-1)
        return self.nodes.constant(f"{name}/query_key_value/{part}", joined)


def _one(nodes):
    return nodes.constant("one", np.float32(1))
