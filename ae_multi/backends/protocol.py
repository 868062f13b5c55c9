"""The contract between this package and a framework.

Each of `ae_multi.backends.torch`, `.tensorflow` and `.jax` is a module with the names of
`Backend`; nothing else of them is called from outside. Beside it each has a module
``native_network``, which makes the same network without Keras, and a module ``export`` with the
names of `Exporter`. `forward_only` serves Keras's NumPy and OpenVINO backends, which cannot train.
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
        training: whether to train rather than evaluate.
        batch_size: samples in a full batch.
        max_steps: the most steps in one run.
    """

    def run(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        """Run a step for each row of ``indices``, int32 (steps, batch).

        Returns:
            Dict of the name of a loss or metric to its values after each step, (steps,).
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
        """Build the steps; compilation may wait for the first run."""


@runtime_checkable
class Backend(Protocol):
    """A framework that trains and runs Keras models."""

    Steps: MakeSteps

    def version(self) -> str:
        """Return the framework's version."""

    def device(self) -> str:
        """Describe the device that computes: "cpu (2 threads)", or the name of a GPU."""

    def full_precision(self) -> None:
        """Compute float32 products and convolutions in float32, without TF32."""

    def allow_tf32(self) -> None:
        """Compute float32 products in TF32 where the device has it."""

    def wait(self) -> None:
        """Return when the device has finished all work that was handed to it."""

    def allow_float64(self) -> None:
        """Change what the framework needs before float64 means float64, for this process."""

    def keep_programs(self, folder: os.PathLike[str] | str) -> None:
        """Keep compiled programs in ``folder``, for models that are built again."""

    def compile_soon(self) -> None:
        """Prefer short compilation over fast programs, for a process that computes little."""

    def gradients(
        self, function: Callable[[], Any], variables: Sequence[keras.Variable]
    ) -> tuple[np.ndarray, list[np.ndarray]]:
        """Return the value of ``function()`` and its gradient for each variable."""

    def plans(self, model: keras.Model) -> list[tuple[str, float]]:
        """List the ways to run steps of ``model``: (name, estimated seconds to build it)."""

    def to_device(self, data: tuple[Any, Any, Any]) -> DeviceData:
        """Copy the arrays of (x, y, sample_weight) to the device, each once, as stored."""

    def snapshot(self, reachable: Reachable, variables: bool = True) -> Snapshot:
        """Return the state of objects; without ``variables`` that of Keras variables is left out.

        Its `restore()` sets it again.
        """

    def values(self, reachable: Reachable, known: Iterable[keras.Variable] = ()) -> Values:
        """Return the Python values that a compiled program holds as constants.

        On JAX they include the variables that are not ``known``, which a program cannot change.
        Its `changed()` names a value that differs now, or returns None.
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
            on_progress: called with the number of finished batches.

        Returns:
            NumPy arrays in the structure of the model's outputs.
        """


class Exporter(Protocol):
    """A framework's writer of exported models, imported when it is needed."""

    def write(self, model: keras.Model, format: str, path: os.PathLike[str] | str) -> None:
        """Write a functional Keras model from "input" to a dict of outputs.

        Args:
            model: the model; the file accepts any batch size.
            format: name of the format.
            path: file or folder to write.
        """

    def run(
        self, format: str, path: os.PathLike[str] | str, batches: Iterable[np.ndarray]
    ) -> list[dict[str, np.ndarray]]:
        """Run the file by its own runtime: a dict of outputs for each batch."""

    def versions(self, format: str) -> dict[str, str]:
        """Return the versions of the libraries that write and run the format."""
