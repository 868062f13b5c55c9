"""The one place that imports PyTorch, TensorFlow or JAX.

Each package here is one framework, imported only when it is the one that runs, and has the same
names:

    version()         the framework's version, a string
    device()          the device that computes, a string for people: "cpu (2 threads)", "NVIDIA …"
    full_precision()  make float32 mean float32: no TF32 in matrix products or convolutions
    allow_tf32()      the opposite, where the device has TF32
    wait()            return when the device has finished all work that was given to it
    allow_float64()   what the framework itself needs before float64 means float64
    keep_programs(f)  keep what is compiled in the folder f, for models that are made anew
    compile_soon()    from here on compile soon rather than well, for a process that computes little
    gradients(f, vs)  the value of f() and its gradient for each Keras variable in vs, in NumPy

What makes it fast, with Keras's own `train_step` as the one definition of a step:

    plans(model)      the ways to run steps of a model: (name, seconds that building may take)
    to_device(data)   (x, y, sample_weight) on the device once, as stored: a `DeviceData`
    Steps(model, device_data, plan, training, batch_size, max_steps)
                      runs steps by one plan: run(indices) takes int32 (steps, batch) and returns
                      the logs after each step; snapshot() and restore(state) copy and set it.
                      After a run the model's and optimizer's variables are what `fit` would leave
    snapshot(reachable)
                      the state of a `snapshot.Reachable`, with a method to restore it
    values(reachable, known)
                      the Python values in it, and on JAX the variables that are not ``known``: what
                      a program has as constants, with a method that says whether they changed
    forward(model, x, batch_size, on_progress=None)
                      the model's outputs in use for all of x, NumPy arrays in its structure;
                      on_progress is called with the number of batches that are done

And a module ``export`` for `ae_multi.exporting`, imported when asked for (OpenVINO has one, too):

    write(model, format, path)
                      write a functional Keras model, from "input" to a dict of outputs
    run(format, path, batches)
                      what the file's own runtime makes of each batch: list of dicts of arrays
    versions(format)  of what writes and runs it: dict

Beside it a module ``native_network`` makes the same network without Keras, on whichever backend
Keras runs.
"""

import importlib
from types import ModuleType

from ae_multi.errors import BackendError
from ae_multi.selection import BACKENDS, FORWARD_ONLY, check_backend, select_backend

__all__ = ["BACKENDS", "current", "get", "get_native_network"]


def current() -> ModuleType:
    """Return the module of the backend that Keras runs on."""
    return get(select_backend())


def get(name: str) -> ModuleType:
    """Return the module of the backend ``name``.

    Raises:
        BackendError: unknown name.
    """
    if name not in BACKENDS + FORWARD_ONLY:
        raise BackendError(f"Expected one of {', '.join(BACKENDS)}. Received: {name!r}.")
    module = name if name in BACKENDS else "forward_only"
    return importlib.import_module(f"ae_multi.backends.{module}")


def get_native_network(name: str) -> ModuleType:
    """Return the module that builds networks in the framework ``name`` without Keras.

    Raises:
        BackendError: the framework is not installed.
    """
    check_backend(name, where=f"a network of plain {name}")
    return importlib.import_module(f"ae_multi.backends.{name}.native_network")
