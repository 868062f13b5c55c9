"""All uses of Keras's private API, one small function each.

Keras may change any of these names in any version: after an upgrade this is the one file to
correct. `tests/test_keras_internals.py` checks each function; checked with Keras 3.15.1. Code that
must run before the import of Keras is in `_keras_registry.py` and `_jit_compile.py`.
"""

import contextlib
import importlib
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from keras.src.backend.common.masking import get_keras_mask, set_keras_mask
from keras.src.trainers.data_adapters import data_adapter_utils
from keras.src.trainers.data_adapters.array_data_adapter import can_convert_arrays as _can_convert
from keras.src.trainers.data_adapters.array_slicing import convert_to_sliceable
from keras.src.trainers.data_adapters.py_dataset_adapter import PyDatasetAdapter

from ae_multi._keras import keras

# Attributes of Keras and of PyTorch's modules that change in a run and that no training step
# depends on.
BOOKKEEPING_ATTRIBUTES = frozenset({
    "_called", "_compile_config", "_distribute_strategy", "_eval_epoch_iterator",
    "_inbound_nodes", "_jax_state", "_jax_state_synced", "_loss_ids", "_losses", "_modules",
    "_outbound_nodes", "_parameters", "_torch_params", "predict_function", "stop_evaluating",
    "stop_predicting", "stop_training", "test_function", "train_function", "training",
})  # fmt: skip
# Attributes that Keras's callbacks need from one epoch to the next.
CALLBACK_STATE: Mapping[type, tuple[str, ...]] = {
    keras.callbacks.History: ("history", "epoch"),
    keras.callbacks.EarlyStopping: (
        "wait", "stopped_epoch", "best", "best_weights", "best_epoch"
    ),
    keras.callbacks.ReduceLROnPlateau: ("wait", "cooldown_counter", "best"),
    keras.callbacks.ModelCheckpoint: (
        "best", "_batches_seen_since_last_saving", "_last_batch_seen"
    ),
    keras.callbacks.SwapEMAWeights: ("_ema_weights_in_model",),
}  # fmt: skip


# Layers and their variables.


def flatten_layers(model: keras.Layer, include_self: bool = True) -> list[keras.Layer]:
    """Return all layers within ``model`` at every depth, each once, itself first."""
    return model._flatten_layers(include_self=include_self, recursive=True)


def direct_sublayers(layer: keras.Layer) -> list[keras.Layer]:
    """Return the layers that ``layer`` holds itself."""
    return layer._layers


def own_trainable_variables(layer: keras.Layer) -> list[keras.Variable]:
    """Return the trainable variables of ``layer``, without those of layers within it."""
    return layer._trainable_variables


def own_variables(layer: keras.Layer) -> list[keras.Variable]:
    """Return the variables of ``layer``, without those of layers within it."""
    return layer._trainable_variables + layer._non_trainable_variables


def has_seed_generator(layer: keras.Layer) -> bool:
    """Return whether ``layer`` draws random numbers from a `keras.random.SeedGenerator`."""
    return bool(layer._seed_generators)


def output_shapes(layer: keras.Layer) -> list[tuple[int | None, ...]]:
    """Return the shapes of ``layer``'s symbolic outputs, batch axis included."""
    return [tensor.shape for node in layer._inbound_nodes for tensor in node.output_tensors]


def call_arguments(model: keras.Layer, training: bool) -> dict[str, bool]:
    """Return the keyword arguments of a call: ``training`` where ``model.call`` accepts it."""
    return {"training": training} if model._call_has_training_arg else {}


def raw_values(variables: Iterable[keras.Variable]) -> list[Any]:
    """Return the variables' tensors, None for one without a value.

    `keras.Variable.value` inspects the current scope at each access, which for all variables
    together takes as long as a training step of a small network.
    """
    return [variable._value for variable in variables]


def assign_raw_values(variables: Sequence[keras.Variable], values: Sequence[Any]) -> None:
    """Set the variables' tensors without the checks and casts of `keras.Variable.assign`."""
    for variable, value in zip(variables, values, strict=True):
        variable._direct_assign(value)


def variable_class() -> Any:
    """Return the base class whose constructor makes every variable."""
    return keras.src.backend.common.variables.Variable


# Initial values.


def is_in_stateless_scope() -> bool:
    """Return whether variables are created without values, as in an unfilled copy of a model."""
    return keras.src.backend.common.stateless_scope.in_stateless_scope()


@contextlib.contextmanager
def unfilled_variables() -> Iterator[None]:
    """Create variables inside the block that hold their initializers and no values.

    Lambda layers and other code are accepted from configurations inside the block: they describe
    objects that exist in this process.
    """
    state = keras.src.backend.common.global_state
    waiting = list(state.get_global_attribute("uninitialized_variables") or [])
    safe_mode = keras.src.saving.serialization_lib.SafeModeScope
    try:
        with safe_mode(False), keras.StatelessScope(initialize_variables=False):
            yield
    finally:
        # Otherwise Keras gives these variables values at the next opportunity.
        state.set_global_attribute("uninitialized_variables", waiting)


def initializer_of(variable: keras.Variable) -> Any:
    """Return the initializer of a variable that was made inside `unfilled_variables`."""
    return variable._initializer


def compute_fans(
    shape: Sequence[int], input_axes: Any = None, output_axes: Any = None
) -> tuple[int, int]:
    """Return (fan-in, fan-out) of a kernel, as Keras's variance-scaling initializers do."""
    fans = keras.src.initializers.random_initializers.compute_fans
    return fans(shape, input_axes, output_axes)


# Compiled models and their steps.


def build_symbolically(model: keras.Model, batch: tuple) -> None:
    """Build the model, its metrics and its optimizer for a batch (x, y, sample_weight)."""
    model._symbolic_build(data_batch=batch)


def check_compiled(model: keras.Model, method: str) -> None:
    """Raise Keras's ValueError if ``model`` is not compiled; Keras 3.15 names ``method`` in it."""
    model._assert_compile_called(method)


def loss_tracker(model: keras.Model) -> Any:
    """Return the metric of the total loss, which each `keras.Model.compile` replaces."""
    return model._loss_tracker


def compute_loss(
    model: keras.Model, x: Any, y: Any, y_pred: Any, sample_weight: Any, training: bool
) -> Any:
    """Return the loss as `keras.Model.train_step` computes it, custom `compute_loss` included."""
    return model._compute_loss(
        x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, training=training
    )


def metrics_result(model: keras.Model, logs: Any) -> dict[str, Any]:
    """Return the logs of a step if they are a full set of metrics, else the model's metrics."""
    return model._get_metrics_result_or_logs(logs)


def metrics_in_order(model: keras.Model, logs: dict[str, Any]) -> Any:
    """Return what `keras.Model.evaluate` returns for ``logs``: a list, or the loss alone."""
    return model._flatten_metrics_in_order(logs)


def should_evaluate(model: keras.Model, epoch: int, validation_freq: Any) -> bool:
    """Return whether ``epoch``, counted from 0, ends with a validation."""
    return model._should_eval(epoch, validation_freq)


def restored_epoch(model: keras.Model) -> int:
    """Return the epoch that a `keras.callbacks.BackupAndRestore` has restored, or 0."""
    return model._initial_epoch or 0  # None in Keras 3.16


def has_distribute_strategy(model: keras.Model) -> bool:
    """Return whether ``model`` was made under a `tf.distribute` strategy."""
    return getattr(model, "_distribute_strategy", None) is not None


def compile_config(model: keras.Model) -> dict[str, Any]:
    """Return the arguments of `keras.Model.compile` as they were given, or an empty dict."""
    return dict(getattr(getattr(model, "_compile_config", None), "config", None) or {})


# Optimizers.


def optimizer_variables(optimizer: keras.Optimizer) -> list[keras.Variable]:
    """Return the weights that ``optimizer`` was built for."""
    return optimizer._trainable_variables


def learning_rate_setting(optimizer: keras.Optimizer) -> Any:
    """Return the learning rate as it was set: a variable, a schedule or a function."""
    return optimizer._learning_rate


def has_learning_rate_schedule(optimizer: keras.Optimizer) -> bool:
    """Return whether the learning rate is a schedule, to which no number can be assigned."""
    schedule = keras.optimizers.schedules.LearningRateSchedule
    return isinstance(learning_rate_setting(optimizer), schedule)


def is_backend_class(module: str) -> bool:
    """Return whether ``module`` holds a backend's version of a public Keras class."""
    return module.startswith("keras.src.backend")


def update_step(kind: Any) -> Callable[..., None]:
    """Return the method of an optimizer class that updates all weights.

    It takes (optimizer, gradients, variables, learning rate).
    """
    return kind._backend_update_step


def replace_update_step(optimizer: keras.Optimizer, function: Callable[..., None]) -> None:
    """Let ``function(gradients, variables, learning rate)`` update the weights."""
    vars(optimizer)["_backend_update_step"] = function


def restore_update_step(optimizer: keras.Optimizer) -> None:
    """Undo `replace_update_step`."""
    del vars(optimizer)["_backend_update_step"]


def adam_moments(
    optimizer: keras.optimizers.Adam, variables: Sequence[keras.Variable]
) -> tuple[list[keras.Variable], list[keras.Variable]]:
    """Return Adam's first and second moments of ``variables``."""
    places = [optimizer._get_variable_index(variable) for variable in variables]
    first = [optimizer._momentums[place] for place in places]
    return first, [optimizer._velocities[place] for place in places]


# Callbacks.


def shut_down_threads(callbacks: keras.callbacks.CallbackList) -> None:
    """End the thread in which Keras runs asynchronous callbacks, if there is one."""
    if callbacks._executor is not None:
        callbacks._executor.shutdown()
        callbacks._executor = None


def show_progress(
    logger: keras.callbacks.ProgbarLogger,
    step: int,
    logs: dict[str, Any],
    suffix: Callable[[float], str],
) -> None:
    """Show ``step`` steps and their ``logs``, which are means over the epoch already.

    Args:
        logger: the callback that owns the progress bar.
        step: number of finished steps.
        logs: dict of name to number.
        suffix: function of the seconds of a step that returns text to show after them.
    """
    logger._maybe_init_progbar()
    bar = logger.progbar
    # Keras averages all but these.
    bar.stateful_metrics, bar.stateless_metrics = set(logs), None
    format_time = type(bar)._format_time
    bar._format_time = lambda seconds, unit: format_time(bar, seconds, unit) + suffix(seconds)
    logger._update_progbar(step - 1, logs)


# Data.


def can_convert_arrays(arrays: Any) -> bool:
    """Return whether Keras treats all of these nested values as arrays."""
    return _can_convert(arrays)


def to_numpy(array: Any) -> np.ndarray:
    """Return an array, tensor, Series or DataFrame as Keras's `fit` converts it."""
    sliceable = convert_to_sliceable(array, target_backend="numpy")
    return np.asarray(sliceable.convert_to_numpy(sliceable[:]))


def class_weight_to_sample_weights(y: Any, class_weight: Mapping[int, float]) -> Any:
    """Return a weight for each label in ``y``."""
    return data_adapter_utils.class_weight_to_sample_weights(y, class_weight)


def is_sparse_or_ragged(array: Any) -> bool:
    """Return whether ``array`` is a sparse or ragged tensor of TensorFlow, JAX or SciPy."""
    return (
        data_adapter_utils.is_tensorflow_ragged(array)
        or data_adapter_utils.is_tensorflow_sparse(array)
        or data_adapter_utils.is_jax_sparse(array)
        or data_adapter_utils.is_scipy_sparse(array)
    )


class DatasetAdapter(PyDatasetAdapter):
    """Adapter through which `keras.Model.fit` reads a `keras.utils.PyDataset`.

    Batches pass through it unchanged, and on PyTorch without a `DataLoader`, which draws from the
    global generator.
    """

    def _standardize_batch(self, batch):
        return batch

    def get_torch_dataloader(self) -> Iterator[Any]:
        """Yield the batches of an epoch as tensors."""
        for batch in self._get_iterator():
            yield keras.tree.map_structure(_to_tensor, batch)


def _to_tensor(array):
    return None if array is None else keras.ops.convert_to_tensor(array)


# Functions that Keras's backends share.


def random_module() -> Any:
    """Return the module whose functions draw all random numbers of Keras on this backend."""
    return keras.src.backend.random


def global_seed_generator() -> keras.random.SeedGenerator | None:
    """Return the generator of random layers without a seed, or None before its first use."""
    return keras.src.backend.common.global_state.get_global_attribute("global_seed_generator")


def control_flow_functions() -> list[tuple[Any, str]]:
    """List (module, name) of the functions that run Python code in a loop or branch."""
    names = "rnn", "lstm", "gru", "bidirectional_lstm", "bidirectional_gru"
    core_names = (
        "associative_scan", "cond", "fori_loop", "map", "scan", "switch", "vectorized_map",
        "while_loop",
    )  # fmt: skip
    backend = keras.src.backend
    # In Keras 3.16 `backend.rnn` is a module.
    rnn = backend.rnn if inspect.ismodule(backend.rnn) else backend
    return [(rnn, name) for name in names] + [(_core(), name) for name in core_names]


def _core() -> Any:
    """Return the module of a backend's basic functions, which Keras 3.16 moves to `ops`."""
    return getattr(keras.src.backend, "core", None) or keras.src.backend.ops.core


def allow_float64() -> None:
    """Let "float64" mean float64, which Keras turns into float32 on all but TensorFlow.

    Every dtype policy of floating-point numbers then computes and stores in float64.
    """
    keras.src.backend.common.dtypes.BIT64_TO_BIT32_DTYPE["float64"] = "float64"
    parse = keras.DTypePolicy._parse_name

    def parse_as_float64(policy: keras.DTypePolicy, name: str) -> tuple[str, str]:
        dtypes = parse(policy, name)
        return ("float64",) * 2 if "float" in dtypes[0] else dtypes

    keras.DTypePolicy._parse_name = parse_as_float64


def wrap_tensorflow_cast(wrap: Callable[[Callable], Callable]) -> None:
    """Replace the function by which Keras casts on TensorFlow by ``wrap`` of it."""
    core = _core()
    core.cast = wrap(core.cast)


def openvino_tensor(output: Any) -> Any:
    """Return the Keras tensor of an output of an OpenVINO operation."""
    core = importlib.import_module("keras.src.backend.openvino.core")
    return core.OpenVINOKerasTensor(output)


def copy_mask(source: Any, target: Any) -> None:
    """Attach the mask of the tensor ``source``, if there is one, to ``target``."""
    mask = get_keras_mask(source)
    if mask is not None:
        set_keras_mask(target, mask)


# Data-parallel training.


@contextlib.contextmanager
def replaced_batch_moments(
    moments: Callable[[Any, list[int]], tuple[Any, Any]],
) -> Iterator[None]:
    """Replace the moments of `BatchNormalization` within the block.

    Args:
        moments: function of (inputs, axes) that returns the mean and the variance. With a mask
            Keras's own moments are used.
    """
    kind, original = keras.layers.BatchNormalization, keras.layers.BatchNormalization._moments

    def replacement(self, inputs, mask):
        if mask is not None:
            return original(self, inputs, mask)
        return moments(inputs, self._reduction_axes)

    kind._moments = replacement
    try:
        yield
    finally:
        kind._moments = original


@contextlib.contextmanager
def random_rows(part: int, parts: int) -> Iterator[None]:
    """Let Keras draw random numbers for a complete batch and return those of one part of it.

    Within the block, the first axis of what is drawn is that of the samples. Keras's functions
    that draw gamma, beta, binomial and categorical numbers and shuffle are not replaced.

    Args:
        part: number of the part, an integer or a scalar tensor.
        parts: number of parts of equal size.
    """
    module, replaced = random_module(), dict[str, Callable[..., Any]]()
    is_drawing = False

    def complete(original: Callable[..., Any], shape: Sequence[Any], *args: Any) -> Any:
        nonlocal is_drawing
        is_drawing = True  # one function may call another
        try:
            drawn = original((shape[0] * parts, *shape[1:]), *args)
        finally:
            is_drawing = False
        if isinstance(part, int):
            return drawn[part * shape[0] : (part + 1) * shape[0]]
        # On JAX the number of the part is a value of the program.
        return keras.ops.slice(drawn, (part * shape[0], *[0] * (len(shape) - 1)), shape)

    def by_shape(original: Callable[..., Any]) -> Callable[..., Any]:
        def draw(shape: Sequence[Any], *args: Any, **kwargs: Any) -> Any:
            if is_drawing or len(shape) == 0:
                return original(shape, *args, **kwargs)
            return complete(lambda shape: original(shape, *args, **kwargs), shape)

        return draw

    def dropout(inputs: Any, rate: float, noise_shape: Any = None, seed: Any = None) -> Any:
        original, ops = replaced["dropout"], keras.ops
        if not 0 < rate < 1:
            return original(inputs, rate, noise_shape, seed)
        shape = ops.shape(inputs)
        if noise_shape is not None and noise_shape[0] not in (None, 1):
            noise_shape = (noise_shape[0] * parts, *noise_shape[1:])
        mask = complete(
            lambda shape: original(ops.ones(shape, inputs.dtype), rate, noise_shape, seed), shape
        )
        return ops.where(mask > 0, inputs / (1 - rate), ops.zeros_like(inputs))

    try:
        for name in ("normal", "uniform", "truncated_normal", "randint"):
            replaced[name] = getattr(module, name)
            setattr(module, name, by_shape(replaced[name]))
        replaced["dropout"], module.dropout = module.dropout, dropout
        yield
    finally:
        for name, original in replaced.items():
            setattr(module, name, original)
