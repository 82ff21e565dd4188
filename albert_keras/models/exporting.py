"""Exports models, with inputs of any number of rows and any length."""

import keras

from albert_keras.kernels import plain_kernels
from albert_keras.models.inputs import SEQUENCES

_AXES = {"B": "batch", "C": "choices", "T": "length", "P": "positions"}
# Optional inputs that the signature of an export has only if it is given.
_NOT_BY_DEFAULT = ("answer_mask", "inputs_embeds", "read_positions")


class ExportableModel(keras.Model):
    """A Keras model of ids that can be exported before it is first called.

    Attributes:
        input_axes: Names and axes of the inputs: B rows, T tokens, P
            positions, C choices.
    """

    input_axes = SEQUENCES

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.autocast = False  # bfloat16 would round ids

    @property
    def input_dtype(self):
        """The type of inputs that Keras assumes where none is given."""
        return "int32"

    def input_shapes(self):
        """Returns the shape of each input of an export, of unknown sizes."""
        return {
            name: (None,) * len(axes)
            for name, axes in self.input_axes.items()
            if name not in _NOT_BY_DEFAULT
        }

    def export(
        self,
        filepath,
        format="tf_saved_model",
        verbose=None,
        input_signature=None,
        **kwargs,
    ):
        """Like `keras.Model.export`; the model need not have been called.

        The exported model runs without this package: it has operations of
        TensorFlow only.

        Args:
            filepath, format, verbose, **kwargs: As for `keras.Model.export`.
            input_signature: A list with a dictionary of `keras.InputSpec`s.
                The default is token ids, segment ids, padding mask and, for
                masked language models, positions: int32, of any number of
                rows and any length. Optional inputs may be left out, and
                `answer_mask` be added.
        """
        if input_signature is None:
            input_signature = [
                {
                    name: keras.InputSpec(shape=shape, dtype="int32", name=name)
                    for name, shape in self.input_shapes().items()
                }
            ]
        if keras.config.backend() == "jax" and format == "tf_saved_model":
            kwargs["jax2tf_kwargs"] = {
                **self._symbolic_shapes(*input_signature),
                **kwargs.get("jax2tf_kwargs", {}),
            }
        with plain_kernels():
            super().export(
                filepath,
                format=format,
                verbose=verbose,
                input_signature=input_signature,
                **kwargs,
            )

    def _symbolic_shapes(self, specs):
        """Arguments of `jax2tf.convert` that name the sizes of the inputs.

        By default Keras gives each input another length, and JAX refuses to
        add tensors of different lengths.
        """
        of_tokens = self.input_axes["token_ids"]
        shapes = {
            name: [
                _AXES[axis] if size is None else str(size)
                for axis, size in zip(
                    self.input_axes.get(name, of_tokens),
                    _shape_of(spec),
                    strict=True,
                )
            ]
            for name, spec in specs.items()
        }
        arguments = {
            "polymorphic_shapes": [
                {name: f"({', '.join(s)})" for name, s in shapes.items()}
            ]
        }
        # Elsewhere Keras may choose a serialization without constraints.
        devices = keras.distribution.list_devices()
        on_cpu = all(device.startswith("cpu") for device in devices)
        if on_cpu and any("length" in shape for shape in shapes.values()):
            longest = self.config.max_sequence_length
            arguments["polymorphic_constraints"] = [f"length <= {longest}"]
        return arguments


def _shape_of(spec):
    """Shape of an item of a signature; Keras lets a tensor's rows vary."""
    if keras.ops.is_tensor(spec) or isinstance(spec, keras.KerasTensor):
        return (None, *spec.shape[1:])
    return spec.shape
