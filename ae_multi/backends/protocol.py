"""Interface between this package and a framework.

Each of the packages `ae_multi.backends.torch`, `.tensorflow` and `.jax` has the names of `Backend`.
The rest of `ae_multi` uses only these names and two modules: ``export``, which has the names of
`Exporter`, and ``native_network``, for networks without Keras. `forward_only` has the part of
`Backend` that inference needs, for Keras's NumPy and OpenVINO backends, which cannot train.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

if TYPE_CHECKING:
    import keras

    from ae_multi.backends.changed_values import Values
    from ae_multi.backends.device_data import DeviceData
    from ae_multi.backends.reachable import Reachable
    from ae_multi.backends.snapshot import Snapshot


class Steps(Protocol):
    """Training or evaluation steps of a model, run by one plan of a backend.

    After a run the variables of the model, its metrics and its optimizer hold what Keras's `fit`
    or `evaluate` leaves in them, to rounding.

    Args:
        model: a compiled and built Keras model; its variables hold the state before and after
            each `run`.
        device_data: the data on the device, from `Backend.to_device`.
        plan: name of one of `Backend.plans`.
        training: True to train, False to evaluate.
        batch_size: samples in a full batch.
        max_steps: maximum number of steps in one run. A longer run is computed correctly, but a
            compiled loop is compiled once more for it.
    """

    def run(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        """Run a step for each row of ``indices``, int32 (steps, batch).

        Returns:
            Dict of the name of a loss or metric to its values after each step, (steps, ...).
        """

    def snapshot(self) -> Any:
        """Return the state of all variables for `restore`."""

    def restore(self, state: Any) -> None:
        """Set all variables to a state from `snapshot`."""


class MakeSteps(Protocol):
    """The constructor of a backend's `Steps`."""

    def __call__(
        self,
        model: keras.Model,
        device_data: DeviceData,
        plan: str,
        training: bool,
        batch_size: int,
        max_steps: int,
    ) -> Steps:
        """Create the steps; they may be compiled only when the first run starts."""


@runtime_checkable
class Backend(Protocol):
    """A framework that trains and runs Keras models."""

    Steps: MakeSteps

    def version(self) -> str:
        """Return the framework's version."""

    def device(self) -> str:
        """Return the name of the device that computes: "cpu (2 threads)", or that of a GPU."""

    def full_precision(self) -> None:
        """Compute float32 products and convolutions in float32, without TF32."""

    def allow_tf32(self) -> None:
        """Allow TF32 in float32 products and convolutions where the device supports it."""

    def wait(self) -> None:
        """Block until the device has finished all work."""

    def allow_float64(self) -> None:
        """Change settings of the framework so that it computes in float64, for this process."""

    def keep_programs(self, folder: os.PathLike[str] | str) -> None:
        """Cache compiled programs in ``folder``, so that models that are built again load them."""

    def compile_soon(self) -> None:
        """Prefer short compilation to fast programs, for a process that computes little."""

    def gradients(
        self, function: Callable[[], Any], variables: Sequence[keras.Variable]
    ) -> tuple[np.ndarray, list[np.ndarray]]:
        """Return the value of ``function()`` and its gradient for each variable.

        Args:
            function: function without arguments that returns a scalar tensor.
            variables: the Keras variables.

        Returns:
            (value, list of one gradient for each variable, of the variable's shape).
        """

    def plans(self, model: keras.Model) -> list[tuple[str, float]]:
        """Return the ways to run steps of ``model``, in order of preference.

        Returns:
            List of (name, estimated seconds to build it). A plan with infinite seconds is used
            only if it is requested or the plans before it fail.
        """

    def worker_plans(self, model: keras.Model) -> list[str]:
        """Return the plans that can split steps of ``model`` over a group of workers.

        Returns:
            List of names, the default first; empty if no plan can split them.
        """

    def to_device(self, data: tuple[Any, Any, Any]) -> DeviceData:
        """Put the arrays of (x, y, sample_weight) on the device, each once, in their dtypes.

        The result may share the memory of arrays on a CPU, so they must not change while it is
        used.
        """

    def snapshot(self, reachable: Reachable, variables: bool = True) -> Snapshot:
        """Return a `Snapshot` of objects, whose `restore()` sets their state again.

        Args:
            reachable: the objects.
            variables: whether the snapshot includes the values of Keras variables.
        """

    def values(self, reachable: Reachable, known: Iterable[keras.Variable] = ()) -> Values:
        """Return the values that a program of the framework contains as constants.

        Their `changed()` returns the name of a value that has changed, or None.

        Args:
            reachable: the objects whose attributes and other Python values are included.
            known: the Keras variables that are inputs of the program. JAX includes all others.
        """

    def forward(
        self,
        model: keras.Model,
        x: Any,
        batch_size: int,
        on_progress: Callable[[int], None] | None = None,
    ) -> Any:
        """Return the outputs of ``model`` at inference for all of ``x``.

        Args:
            model: a built Keras model.
            x: nested arrays of n samples each.
            batch_size: samples that are computed at once.
            on_progress: function that is called with the number of finished batches, or None.

        Returns:
            NumPy arrays in the structure of the model's outputs.
        """


class Collectives(Protocol):
    """Module of a framework through which the workers of a group communicate.

    All workers call the same functions in the same order.
    """

    def start(self, rank: int, size: int, address: str, port: int) -> None:
        """Join the group, before the framework has computed anything.

        Args:
            rank: number of this worker.
            size: number of workers.
            address: host name of worker 0.
            port: port on which worker 0 listens.
        """

    def gather(self, data: bytes) -> list[bytes]:
        """Return the bytes of each worker, in the order of ranks; called between steps.

        Raises:
            WorkerError: another worker has ended.
        """

    def all_reduce(self, tensors: Sequence[Any]) -> list[Any]:
        """Return the sums over the workers of tensors, by one message for each dtype.

        Called in a step while it is traced. The result is differentiable: the gradient of the
        sum of all workers' losses.
        """


class Exporter(Protocol):
    """Module of a framework that writes and runs exported models."""

    def write(self, model: keras.Model, format: str, path: os.PathLike[str] | str) -> None:
        """Write a functional Keras model to a file.

        The exported model has one float32 input, "input", of any batch size, and a dict of outputs.

        Args:
            model: the model, which returns a dict of outputs.
            format: name of the format.
            path: file or folder to write.
        """

    def run(
        self, format: str, path: os.PathLike[str] | str, batches: Iterable[np.ndarray]
    ) -> list[dict[str, np.ndarray]]:
        """Run the file by the runtime of its format; return a dict of outputs for each batch."""

    def versions(self, format: str) -> dict[str, str]:
        """Return the versions of the libraries that write and run the format."""
