"""Extraction of framework-independent networks from Keras models."""

from collections.abc import Sequence
from typing import Any

from ae_multi._keras import keras
from ae_multi.errors import InputError
from ae_multi.interop.graph import Layer, Network, Part
from ae_multi.interop.layers import steps_of


def extract_network(model: keras.Model) -> Network:
    """Return the inference `Network` of a Keras model.

    Args:
        model: a built `ae_multi.Autoencoder`, another network of this package, a
            `keras.Sequential` or a functional `keras.Model` with one input and one output.

    Raises:
        InputError: the model is of another type, or a layer cannot be converted; the message
            names it.
    """
    if not isinstance(model, keras.Layer):
        raise InputError(f"Expected a Keras model. Received: {type(model).__name__}.")
    named = {part: getattr(model, part, None) for part in ("encoder", "decoder", "network")}
    parts = {name: part for name, part in named.items() if isinstance(part, keras.Layer)}
    if _is_graph(model):
        parts = {"network": model}
    elif set(parts) not in ({"encoder", "decoder"}, {"network"}):
        raise InputError(
            "Expected a model with an encoder and a decoder, a keras.Sequential or a functional "
            f"keras.Model. Received: {type(model).__name__}, whose order of layers is unknown."
        )
    result = [_part(name, part) for name, part in parts.items()]
    if "network" in parts and not _is_graph(model):
        # The model may reshape the outputs of its network to the shape of its inputs.
        inputs = keras.KerasTensor((None, *result[0].takes))
        output_shape = tuple(model.compute_output_spec(inputs).shape[1:])
        if output_shape != result[0].gives:
            result[0] = _reshaped(result[0], output_shape)
    return Network(type(model).__name__, tuple(result))


def _is_graph(model: keras.layers.Layer) -> bool:
    """Return whether ``model`` is a functional or sequential model."""
    return (hasattr(model, "input_shape") and hasattr(model, "operations")) or _is_chain(model)


def _is_chain(model: keras.layers.Layer) -> bool:
    return isinstance(model, keras.Sequential)


def _part(name: str, model: keras.layers.Layer) -> Part:
    """Return the `Part` of a built Keras model."""
    if not model.built or not isinstance(model, keras.Model):
        raise InputError(
            f"Expected {name} to be a built Keras model, which begins with a keras.Input. "
            f"Received: {model.name!r}."
        )
    takes = _sample(model.input_shape, model.name)
    extractor = _GraphExtractor([takes])
    output = extractor.value(model, (0,))
    return Part(name, tuple(extractor.layers), takes, output)


def _reshaped(part: Part, shape: tuple[int, ...]) -> Part:
    """Return ``part`` with a reshape to ``shape`` at its end."""
    layer = Layer("reshape", "reshape", (part.output,), {}, part.gives, shape)
    return Part(part.name, (*part.layers, layer), part.takes, len(part.layers) + 1)


class _GraphExtractor:
    """Converter of a Keras graph to a list of `Layer`.

    Values are numbered: 0 is the input, i the output of the i-th layer.

    Attributes:
        layers: the layers so far.
        shapes: sample shapes of the values so far.
    """

    def __init__(self, shapes: list[tuple[int, ...]]) -> None:
        self.layers: list[Layer] = []
        self.shapes = shapes
        self.seen: set[int] = set()

    def value(self, layer: keras.layers.Layer, inputs: tuple[int, ...]) -> int:
        """Add ``layer`` with the values ``inputs`` and return the number of its output."""
        if isinstance(layer, keras.layers.InputLayer):
            return inputs[0]
        if _is_chain(layer):
            for each in layer.layers:
                inputs = (self.value(each, inputs),)
            return inputs[0]
        if _is_graph(layer):
            return self._graph(layer, inputs)
        if layer.weights and id(layer) in self.seen:
            raise InputError(
                f"Expected layers that are used once. Received: {layer.name!r}, used again."
            )
        self.seen.add(id(layer))
        for kind, settings, roles, gives in steps_of(layer, [self.shapes[i] for i in inputs]):
            variables = {role: getattr(layer, role) for role in roles}
            takes = self.shapes[inputs[0]]
            name = self._unique(layer.name) if variables else layer.name
            self.layers.append(Layer(kind, name, inputs, settings, takes, gives, variables))
            self.shapes.append(gives)
            inputs = (len(self.layers),)
        return inputs[0]

    def _unique(self, name: str) -> str:
        """Return a unique name for a layer; Keras's are unique only within one nested model."""
        name = name.replace(".", "_")
        used = {layer.name for layer in self.layers if layer.variables}
        candidates = [name, *(f"{name}_{i}" for i in range(1, len(used) + 1))]
        return next(each for each in candidates if each not in used)

    def _graph(self, model: keras.Model, inputs: tuple[int, ...]) -> int:
        """Add the layers of a functional model and return the number of its output."""
        config = model.get_config()
        layers = {layer.name: layer for layer in model.layers}
        values: dict[str, int] = {}
        (start,) = _ends(config["input_layers"], model)
        for entry in config["layers"]:
            name, nodes = entry["name"], entry["inbound_nodes"]
            if name == start:
                values[name] = inputs[0]
                continue
            if name not in layers:
                raise InputError(
                    f"Expected layers alone in {model.name!r}. Received: the operation {name!r}."
                )
            if len(nodes) != 1:
                raise InputError(
                    f"Expected layers that are used once. Received: {name!r}, used {len(nodes)} "
                    "times."
                )
            sources = [tuple(each) for each in _histories(nodes[0]["args"])]
            if any(source[1:] != (0, 0) for source in sources):
                raise InputError(
                    f"Expected layers with one output before {name!r}. Received: several."
                )
            values[name] = self.value(layers[name], tuple(values[each[0]] for each in sources))
        (end,) = _ends(config["output_layers"], model)
        return values[end]


def _histories(node: Any) -> list[Sequence[Any]]:
    """Return the (layer, call, output) that produced each tensor in the arguments of a call."""
    if isinstance(node, dict) and node.get("class_name") == "__keras_tensor__":
        return [node["config"]["keras_history"]]
    items = node if isinstance(node, list | tuple) else ()
    return [history for each in items for history in _histories(each)]


def _ends(layers: Sequence[Any], model: keras.Model) -> Sequence[Any]:
    """Return the name of the only input or output layer of a functional model, as a list."""
    if len(layers) != 3 or not isinstance(layers[0], str):
        raise InputError(
            f"Expected {model.name!r} to have one input and one output. Received: {layers!r}."
        )
    return layers[:1]


def _sample(shape: Any, name: str) -> tuple[int, ...]:
    """Return the sample shape of a batch shape, or raise `InputError` if it is not fixed."""
    if not isinstance(shape, tuple) or not all(isinstance(size, int) for size in shape[1:]):
        raise InputError(
            f"Expected {name!r} to have one input of fixed size. Received: shape {shape}."
        )
    return tuple(shape[1:])
