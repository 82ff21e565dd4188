"""Builds an ONNX graph node by node."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

OPSET = 20  # the first with Gelu
IR_VERSION = 10


class OnnxNodes:
    """The nodes, constants, inputs and outputs of a graph under construction.

    A tensor is its name, a string. A constant that is added twice under one
    name is stored once.
    """

    def __init__(self) -> None:
        self._nodes: list[Any] = []
        self._constants: dict[str, np.ndarray] = {}
        self._inputs: list[Any] = []
        self._outputs: list[Any] = []
        self._counts: dict[str, int] = {}

    def input(self, name: str, axes: Sequence[str]) -> str:
        """Adds an input of int32 with named axes of any size."""
        kind = onnx.TensorProto.INT32
        self._inputs.append(helper.make_tensor_value_info(name, kind, axes))
        return name

    def output(self, name: str, tensor: str, axes: Sequence[Any]) -> None:
        """Adds a float32 output; an axis is a name or a size."""
        self._nodes.append(helper.make_node("Identity", [tensor], [name]))
        kind = onnx.TensorProto.FLOAT
        self._outputs.append(helper.make_tensor_value_info(name, kind, axes))

    def constant(self, name: str, array: Any) -> str:
        """Adds a constant: an array, or integers of the type int64."""
        self._constants.setdefault(name, np.asarray(array))
        return name

    def integers(self, *values: int) -> str:
        """A constant int64 vector."""
        return self.constant(
            f"integers/{'_'.join(map(str, values))}", np.array(values, "int64")
        )

    def add(
        self,
        operator: str,
        *inputs: str,
        outputs: int | None = None,
        **attributes: Any,
    ) -> Any:
        """Adds a node.

        Args:
            operator: Name of an operator of ONNX.
            *inputs: Its input tensors; "" leaves out an optional one.
            outputs: Number of outputs, for operators with several.
            **attributes: Its attributes.

        Returns:
            Its output; with `outputs` a list of them.
        """
        number = self._counts.get(operator, 0)
        self._counts[operator] = number + 1
        name = f"{operator.lower()}_{number}"
        names = [name]
        if outputs is not None:
            names = [f"{name}_{i}" for i in range(outputs)]
        self._nodes.append(
            helper.make_node(operator, inputs, names, name=name, **attributes)
        )
        return name if outputs is None else names

    def cast(self, tensor: str, to: int) -> str:
        """Casts to a type of `onnx.TensorProto`."""
        return self.add("Cast", tensor, to=to)

    def reshape(self, tensor: str, *shape: int) -> str:
        """Reshapes: 0 keeps the size of an axis, -1 is the rest."""
        return self.add("Reshape", tensor, self.integers(*shape))

    def model(self, name: str, producer: str) -> Any:
        """Returns the `onnx.ModelProto` of what was added."""
        graph = helper.make_graph(
            self._nodes,
            name,
            self._inputs,
            self._outputs,
            [
                numpy_helper.from_array(np.asarray(array, order="C"), key)
                for key, array in self._constants.items()
            ],
        )
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name=producer,
        )
        onnx.checker.check_model(model, full_check=True)
        return model
