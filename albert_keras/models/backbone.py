"""The ALBERT encoder as a Keras model."""

import keras
from keras import ops

from albert_keras.config import AlbertConfig
from albert_keras.kernels import kernels_of_caller
from albert_keras.kernels.padded_sequences import zero_padding
from albert_keras.kernels.value_ranges import nan_unless
from albert_keras.layers.cross_layer_sharing import CrossLayerSharingEncoder
from albert_keras.layers.factorized_embedding import FactorizedEmbedding
from albert_keras.layers.initializers import albert_initializer
from albert_keras.layers.integer_ids import as_integers
from albert_keras.models.inputs import (
    EMBEDDINGS,
    SEQUENCES,
    by_own_names,
    check_shapes,
    check_values,
    select_inputs,
)
from albert_keras.models.kept_variables import KeepsVariables
from albert_keras.models.pretrained import PretrainedModel
from albert_keras.models.quantization import (
    QUANTIZED_LAYERS,
    quantization_config,
    quantize_layers,
)
from albert_keras.models.texts.takes_texts import TakesTexts
from albert_keras.models.weight_loading import assign_weights


@keras.saving.register_keras_serializable("albert_keras")
class AlbertBackbone(TakesTexts, KeepsVariables, PretrainedModel):
    """ALBERT without a head (Lan et al. 2019, arXiv:1909.11942).

    Factorized embeddings, L layers that share one block, and a pooler:
    tanh(x W + b) of the first position. The constructor creates all variables.

    Args:
        vocabulary_size, num_layers, num_heads, embedding_dim, hidden_dim,
            intermediate_dim, num_groups, num_inner_repetitions,
            hidden_dropout, attention_dropout, max_sequence_length,
            num_segments, activation, layer_norm_epsilon, initializer_range,
            pre_layer_norm: The fields of `AlbertConfig`, with the same
            defaults (base, version 2).
        **kwargs: Further arguments of `keras.Model`, such as `dtype`.

    Call arguments:
        inputs: A dictionary of whole numbers `(B, T)` of any integer or float
            type: `token_ids`, `segment_ids` and `padding_mask` (1 = token,
            0 = padding). The last two are optional; the defaults are segment 0
            and no padding. With `read_positions`, `(B, P)`, the last layer
            computes only these positions and the first. Hugging Face's names
            (`input_ids`, `token_type_ids`, `attention_mask`) are accepted as
            well. `inputs_embeds` `(B, T, E)` takes the place of `token_ids`:
            rows of `token_table`, or other vectors.
        output_hidden_states: Whether to return the `hidden_states`, too.
        output_attentions: Whether to return the `attentions`, too. Then the
            reference kernels are used, which keep padding and all
            probabilities, and no `remat`.

    Returns:
        `{"sequence_output": (B, T, H), "pooled_output": (B, H)}`; the
        sequence output is `(B, P, H)` with `read_positions`, and 0 at
        padding. The pooled output is that of the first position even if it
        is padding. The values of one row never depend on another row.

    Raises:
        ValueError: If a field is out of range, an input is unknown, missing
            or of another shape, hidden states or attentions are requested
            with `read_positions`, ids have a float type that rounds some of
            them, a sequence is longer than `max_sequence_length`, or, outside
            compiled functions, an id, a segment, a position or a value of the
            mask is out of range. In a compiled function TensorFlow on a CPU
            then raises an `InvalidArgumentError`; elsewhere the outputs of
            the row are NaN.

    Example:

    ```python
    backbone = AlbertBackbone.from_size("base")
    outputs = backbone({"token_ids": np.array([[2, 10975, 126, 3]])})
    outputs["sequence_output"].shape  # (1, 4, 768)
    ```
    """

    # Names and axes of the inputs.
    input_axes = {**SEQUENCES, "read_positions": "BP", EMBEDDINGS: "BTE"}

    def __init__(
        self,
        vocabulary_size=30000,
        num_layers=12,
        num_heads=12,
        embedding_dim=128,
        hidden_dim=768,
        intermediate_dim=3072,
        num_groups=1,
        num_inner_repetitions=1,
        hidden_dropout=0.0,
        attention_dropout=0.0,
        max_sequence_length=512,
        num_segments=2,
        activation="gelu_tanh",
        layer_norm_epsilon=1e-12,
        initializer_range=0.02,
        pre_layer_norm=False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.config = c = AlbertConfig(
            vocabulary_size=vocabulary_size,
            num_layers=num_layers,
            num_heads=num_heads,
            embedding_dim=embedding_dim,
            hidden_dim=hidden_dim,
            intermediate_dim=intermediate_dim,
            num_groups=num_groups,
            num_inner_repetitions=num_inner_repetitions,
            hidden_dropout=hidden_dropout,
            attention_dropout=attention_dropout,
            max_sequence_length=max_sequence_length,
            num_segments=num_segments,
            activation=activation,
            layer_norm_epsilon=layer_norm_epsilon,
            initializer_range=initializer_range,
            pre_layer_norm=pre_layer_norm,
        )
        self.embeddings = FactorizedEmbedding(
            vocabulary_size=c.vocabulary_size,
            embedding_dim=c.embedding_dim,
            hidden_dim=c.hidden_dim,
            max_sequence_length=c.max_sequence_length,
            num_segments=c.num_segments,
            dropout=c.hidden_dropout,
            layer_norm_epsilon=c.layer_norm_epsilon,
            initializer_range=c.initializer_range,
            dtype=self.dtype_policy,
            name="embeddings",
        )
        self.encoder = CrossLayerSharingEncoder(
            num_layers=c.num_layers,
            num_heads=c.num_heads,
            intermediate_dim=c.intermediate_dim,
            num_groups=c.num_groups,
            num_inner_repetitions=c.num_inner_repetitions,
            hidden_dropout=c.hidden_dropout,
            attention_dropout=c.attention_dropout,
            activation=c.activation,
            layer_norm_epsilon=c.layer_norm_epsilon,
            initializer_range=c.initializer_range,
            pre_layer_norm=c.pre_layer_norm,
            dtype=self.dtype_policy,
            name="encoder",
        )
        self.pooler = keras.layers.Dense(
            c.hidden_dim,
            activation="tanh",
            kernel_initializer=albert_initializer(c.initializer_range),
            dtype=self.dtype_policy,
            name="pooler",
        )
        self.build(self.input_shapes())

    @classmethod
    def from_size(cls, size, version=2, **kwargs):
        """Creates a model of a named size, with random weights.

        Args:
            size, version: See `AlbertConfig.from_size`.
            **kwargs: Arguments of the class; they replace those of the size.

        Raises:
            ValueError: As for `AlbertConfig.from_size`.
        """
        config = AlbertConfig.from_size(size, version).to_dict()
        return cls(**{**config, **kwargs})

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """Creates a model from an `AlbertConfig` or from `get_config()`."""
        if isinstance(config, AlbertConfig):
            return cls.from_albert_config(config)
        config = dict(config)
        quantized = config.pop(QUANTIZED_LAYERS, {})
        model = cls(**config)
        quantize_layers(model, quantized)
        return model

    @classmethod
    def from_albert_config(cls, config, **kwargs):
        """Creates a model from an `AlbertConfig` and Keras arguments."""
        return cls(**config.to_dict(), **kwargs)

    def clone(self, **fields):
        """Returns a copy of the model, with its own variables.

        The updates of LoRA are part of the copy's weights.

        Args:
            **fields: Arguments of the class to replace, such as
                `hidden_dropout`.
        """
        config = {**self.get_config(), **fields}
        config.pop("name", None)
        copy = type(self).from_config(config)
        assign_weights(copy, self.to_parts())
        if self.preprocessor is not None:
            copy.preprocessor = self.preprocessor
        return copy

    def build(self, input_shape):
        c = self.config
        self.embeddings.build((None, None))
        self.encoder.build((None, None, c.hidden_dim))
        self.pooler.build((None, c.hidden_dim))

    @property
    def remat(self):
        """Whether training rematerializes each layer in the backward pass.

        For models whose activations do not fit into memory: it stores one
        tensor `(B, T, H)` per layer, and takes about a third more time.
        Set it before the first update.

        Raises:
            ValueError: If set on a model with dropout, since the second
                computation would drop other units.
        """
        return self.encoder.remat

    @remat.setter
    def remat(self, value):
        c = self.config
        if value and (c.hidden_dropout or c.attention_dropout):
            raise ValueError(
                "`remat` computes each layer twice with the same result, so "
                "it needs a model without dropout. Received: hidden_dropout="
                f"{c.hidden_dropout}, attention_dropout="
                f"{c.attention_dropout}. Create the model with both 0, as in "
                "version 2 of ALBERT."
            )
        self.encoder.remat = bool(value)

    @property
    def token_table(self):
        """The token embeddings `(V, E)`, shared with the MLM head."""
        return self.embeddings.token_table

    def call(
        self,
        inputs,
        training=False,
        output_hidden_states=False,
        output_attentions=False,
    ):
        inputs = select_inputs(self, inputs)
        embeddings = inputs.get(EMBEDDINGS)
        token_ids = inputs.get("token_ids")
        self._check_length(
            token_ids.shape if embeddings is None else embeddings.shape
        )
        inputs, in_range = check_values(inputs, self.config)
        if embeddings is None:
            token_ids = inputs["token_ids"]
        else:
            token_ids = self._ids_of(embeddings)
        segment_ids = inputs.get("segment_ids")
        if segment_ids is None:
            segment_ids = ops.zeros_like(token_ids)
        padding_mask = inputs.get("padding_mask")
        positions = read = inputs.get("read_positions")
        if read is not None:
            _check_all_positions(output_hidden_states, output_attentions)
            read = as_integers(
                "read_positions", read, self.config.max_sequence_length
            )
            positions = ops.pad(read, ((0, 0), (1, 0)))  # add [CLS]
        x = self.embeddings(
            token_ids,
            segment_ids,
            training=training,
            token_embeddings=embeddings,
        )
        hidden_states = attentions = ()
        with kernels_of_caller():
            x = self.encoder(
                x,
                padding_mask,
                positions,
                training=training,
                output_hidden_states=output_hidden_states,
                output_attentions=output_attentions,
            )
        if output_hidden_states or output_attentions:
            x, hidden_states, attentions = x
        pooled = self.pooler(x[:, 0])  # (B, H)
        x = x if read is None else x[:, 1:]  # (B, T, H), or (B, P, H)
        x = zero_padding(x, padding_mask, read)
        outputs = {
            "sequence_output": nan_unless(in_range, x),
            "pooled_output": nan_unless(in_range, pooled),
        }
        if output_hidden_states:
            outputs["hidden_states"] = tuple(
                nan_unless(in_range, zero_padding(state, padding_mask))
                for state in hidden_states
            )
        if output_attentions:
            outputs["attentions"] = tuple(
                nan_unless(in_range, p) for p in attentions
            )
        return outputs

    def _ids_of(self, embeddings):
        """Ids 0 `(B, T)` in place of those of `inputs_embeds` `(B, T, E)`."""
        width = self.config.embedding_dim
        if embeddings.shape[-1] not in (None, width):
            raise ValueError(
                "`inputs_embeds` must be of shape (B, T, E) with E = "
                f"`embedding_dim` = {width}. Received: "
                f"{tuple(embeddings.shape)}. Take them from "
                "`backbone.token_table`."
            )
        return ops.zeros(ops.shape(embeddings)[:2], "int32")

    def _check_length(self, shape):
        length = shape[1]
        # In an export under JAX the length is an expression.
        if isinstance(length, int) and length > self.config.max_sequence_length:
            raise ValueError(
                "Sequences must not be longer than `max_sequence_length`. "
                f"Received: length {length}, max_sequence_length="
                f"{self.config.max_sequence_length}. Truncate the texts "
                "(`sequence_length` of the tokenizer) or create the model "
                "with a larger `max_sequence_length`."
            )

    def compute_output_shape(self, input_shape):
        input_shape = by_own_names(self, input_shape)
        check_shapes(self, input_shape)
        tokens = input_shape.get("token_ids", input_shape.get(EMBEDDINGS))
        self._check_length(tokens)
        batch, length = input_shape.get("read_positions", tokens[:2])
        return {
            "sequence_output": (batch, length, self.config.hidden_dim),
            "pooled_output": (batch, self.config.hidden_dim),
        }

    def compute_output_spec(
        self,
        inputs,
        training=False,
        output_hidden_states=False,
        output_attentions=False,
    ):
        spec = super().compute_output_spec(inputs, training=training)
        batch, length, width = spec["sequence_output"].shape
        if "read_positions" in by_own_names(self, inputs):
            _check_all_positions(output_hidden_states, output_attentions)
        c, dtype = self.config, self.compute_dtype

        def specs(number, *shape):
            made = (keras.KerasTensor(shape, dtype) for _ in range(number))
            return tuple(made)

        if output_hidden_states:
            spec["hidden_states"] = specs(
                c.num_layers + 1, batch, length, width
            )
        if output_attentions:
            spec["attentions"] = specs(
                c.num_layers * c.num_inner_repetitions,
                *(batch, c.num_heads, length, length),
            )
        return spec

    def get_config(self):
        return {
            "name": self.name,
            "trainable": self.trainable,
            "dtype": keras.dtype_policies.serialize(self.dtype_policy),
            **self.config.to_dict(),
            **quantization_config(self),
        }


def _check_all_positions(output_hidden_states, output_attentions):
    if output_hidden_states or output_attentions:
        raise ValueError(
            "`output_hidden_states` and `output_attentions` need all positions "
            "of every layer. Received: `read_positions`. Remove it from the "
            "inputs, and gather the positions from the outputs."
        )
