"""Detection of Keras callbacks with batch hooks, which require steps to run one at a time."""

from ae_multi._keras import keras

_HOOKS = ("on_batch_begin", "on_batch_end", "on_train_batch_begin", "on_train_batch_end")
_TEST_HOOKS = ("on_test_batch_begin", "on_test_batch_end")


def wants_batches(callback: keras.callbacks.Callback) -> bool:
    """Return whether a Keras callback needs its hooks for each batch of a training."""
    if isinstance(callback, keras.callbacks.ProgbarLogger | keras.callbacks.History):
        return False
    saving = keras.callbacks.ModelCheckpoint | keras.callbacks.BackupAndRestore
    if isinstance(callback, saving) and callback.save_freq == "epoch":
        return False
    if type(callback) is keras.callbacks.TensorBoard and callback.update_freq == "epoch":
        return False
    return any(_overridden(callback, hook) for hook in _HOOKS)


def wants_test_batches(callback: keras.callbacks.Callback) -> bool:
    """Return whether a Keras callback needs its hooks for each batch of an evaluation."""
    if isinstance(callback, keras.callbacks.ProgbarLogger | keras.callbacks.History):
        return False
    if type(callback) is keras.callbacks.TensorBoard and callback.update_freq == "epoch":
        return False
    return any(_overridden(callback, hook) for hook in _TEST_HOOKS)


def _overridden(callback: keras.callbacks.Callback, hook: str) -> bool:
    # A LambdaCallback sets its functions as attributes of the instance.
    if hook in vars(callback):
        return True
    return getattr(type(callback), hook) is not getattr(keras.callbacks.Callback, hook)
