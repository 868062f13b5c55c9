"""Networks read from Keras models."""

from ae_multi._keras import keras
from ae_multi.errors import InputError
from ae_multi.interop.graph import Layer, Network, Part
from ae_multi.interop.layers import steps_of


def extract_network(model):
    """The `Network` of a Keras model, in use.

    Args:
        model: an `ae_multi.Autoencoder`, a network of this package, a `keras.Sequential` or a
            functional `keras.Model` with one input and one output, built.

    Raises:
        InputError: another model, or a layer that cannot be moved, which the message names.
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
            f"keras.Model. Received: {type(model).__name__}, of whose layers the order is unknown."
        )
    found = [_part(name, part) for name, part in parts.items()]
    if "network" in parts and not _is_graph(model):
        # Around the network, a model may bring outputs into the shape of its inputs.
        inputs = keras.KerasTensor((None, *found[0].takes))
        whole = tuple(model.compute_output_spec(inputs).shape[1:])
        if whole != found[0].gives:
            found[0] = _reshaped(found[0], whole)
    return Network(type(model).__name__, tuple(found))


def _is_graph(model):
    """Whether Keras knows how the layers of ``model`` hang together."""
    return (hasattr(model, "input_shape") and hasattr(model, "operations")) or _is_chain(model)


def _is_chain(model):
    return isinstance(model, keras.Sequential)


def _part(name, model):
    """The `Part` of a built Keras model."""
    if not model.built or not isinstance(model, keras.Model):
        raise InputError(
            f"Expected {name} to be a built Keras model, which begins with a keras.Input. "
            f"Received: {model.name!r}."
        )
    takes = _sample(model.input_shape, model.name)
    extractor = _GraphExtractor([takes])
    output = extractor.value(model, (0,))
    return Part(name, tuple(extractor.layers), takes, output)


def _reshaped(part, shape):
    """``part`` with its output in another shape."""
    layer = Layer("reshape", "reshape", (part.output,), {}, part.gives, shape)
    return Part(part.name, (*part.layers, layer), part.takes, len(part.layers) + 1)


class _GraphExtractor:
    """Collects layers; ``shapes`` are those of the values so far."""

    def __init__(self, shapes):
        self.layers, self.shapes, self.seen = [], shapes, set()

    def value(self, layer, inputs):
        """The number of the value that ``layer`` gives for the values ``inputs``."""
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

    def _unique(self, name):
        """A name that no other layer with weights has; Keras has them so in one model alone."""
        name = name.replace(".", "_")
        taken = {layer.name for layer in self.layers if layer.variables}
        names = [name, *(f"{name}_{i}" for i in range(1, len(taken) + 1))]
        return next(each for each in names if each not in taken)

    def _graph(self, model, inputs):
        """The number of the value that a functional model gives."""
        config = model.get_config()
        layers, values = {layer.name: layer for layer in model.layers}, {}
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
            taken = [tuple(each) for each in _histories(nodes[0]["args"])]
            if any(value[1:] != (0, 0) for value in taken):
                raise InputError(
                    f"Expected layers with one output before {name!r}. Received: several."
                )
            values[name] = self.value(layers[name], tuple(values[value[0]] for value in taken))
        (end,) = _ends(config["output_layers"], model)
        return values[end]


def _histories(node):
    """Where each tensor in the arguments of a call comes from: (layer, call, output)."""
    if isinstance(node, dict) and node.get("class_name") == "__keras_tensor__":
        return [node["config"]["keras_history"]]
    parts = node if isinstance(node, list | tuple) else ()
    return [found for each in parts for found in _histories(each)]


def _ends(named, model):
    """The names of a functional model's inputs or outputs, of which there has to be one."""
    if len(named) != 3 or not isinstance(named[0], str):
        raise InputError(
            f"Expected {model.name!r} to have one input and one output. Received: {named!r}."
        )
    return named[:1]


def _sample(shape, name):
    """The shape of one sample, or an `InputError`."""
    if not isinstance(shape, tuple) or not all(isinstance(size, int) for size in shape[1:]):
        raise InputError(
            f"Expected {name!r} to have one input of fixed size. Received: shape {shape}."
        )
    return tuple(shape[1:])
