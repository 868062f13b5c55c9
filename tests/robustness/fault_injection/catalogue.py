"""Faults to inject in one backend, and where the comparison must find them.

Each fault is Python code that runs in the child process after the import of Keras, with ``keras``,
``ops`` and the functions of `PRELUDE`: ``layer_call(name, function)`` replaces the call of one
layer by a function of (layer, real call, inputs, keywords), and ``outputs_of(class name,
function)`` replaces the outputs of all layers of a class by a function of them.
"""

from tests.robustness.fault_injection.fault import Fault
from tests.robustness.fault_injection.zoo_faults import ZOO_FAULTS

PRELUDE = """
import functools
import numpy as np
from keras import ops
def layer_call(name, function):
    for base in (keras.layers.Dense, keras.layers.Conv2D, keras.layers.Dropout,
                 keras.layers.Flatten, keras.layers.BatchNormalization, keras.layers.Reshape):
        @functools.wraps(base.call)  # Keras reads the signature
        def patched(layer, inputs, *args, _real=base.call, **kwargs):
            if layer.name == name:
                return function(layer, lambda x: _real(layer, x, *args, **kwargs), inputs, kwargs)
            return _real(layer, inputs, *args, **kwargs)
        base.call = patched
def outputs_of(kind, function):
    real = keras.Layer.__call__
    def call(layer, *args, **kwargs):
        output = real(layer, *args, **kwargs)
        symbolic = isinstance(output, keras.KerasTensor)
        return output if symbolic or type(layer).__name__ != kind else function(output)
    keras.Layer.__call__ = call
def with_kernel(layer, real, inputs, change):
    original = layer._kernel
    layer._kernel = change(ops.convert_to_tensor(original))
    try:
        return real(inputs)
    finally:
        layer._kernel = original
def rounded(x, bits):
    scale = float(2 ** (24 - bits) + 1)
    c = x * scale
    return c - (c - x)
def defaults(cls, **changes):
    real = cls.__init__
    def init(self, *args, **kwargs):
        real(self, *args, **{**kwargs, **changes})
    cls.__init__ = init
"""


def _layer(name, body):
    return f"layer_call({name!r}, lambda layer, real, x, kw: {body})"


# Keras's Adam updates weights one by one, but on PyTorch all at once in another class.
def _adam(change):
    return (
        "torch = keras.config.backend() == 'torch'\n"
        "if torch:\n"
        "    from keras.src.backend.torch.optimizers.torch_adam import Adam\n"
        "else:\n"
        "    from keras.src.optimizers.adam import Adam\n"
        "name = '_parallel_update_step' if torch else 'update_step'\n"
        "real = getattr(Adam, name)\n"
        "def update(self, gradients, variables, learning_rate):\n"
        f"    {change}\n"
        "    real(self, gradients, variables, learning_rate)\n"
        "setattr(Adam, name, update)\n"
    )


FAULTS = {
    "one weight one ulp off": Fault(
        "real = keras.layers.Dense.build\n"
        "def build(self, shape):\n"
        "    real(self, shape)\n"
        "    if self.name == 'hidden':\n"
        "        k = ops.convert_to_numpy(self._kernel).copy()\n"
        "        k.flat[5] = np.nextafter(k.flat[5], np.float32(9))\n"
        "        self._kernel.assign(k)\n"
        "keras.layers.Dense.build = build\n",
        "start",
        "hidden/kernel",
    ),
    "weights of another seed": Fault(
        "from ae_multi.parity import same_random\n"
        "real = same_random.install\n"
        "same_random.install = lambda seed: real(seed + 1)\n",
        "start",
        "convolution/kernel",
    ),
    "a batch order off by one epoch": Fault(
        "from ae_multi.parity import trace_recorder\n"
        "real = trace_recorder.permutation\n"
        "trace_recorder.permutation = lambda seed, epoch, n: real(seed, epoch + 1, n)\n",
        "order",
        "step 1",
    ),
    "two batches swapped": Fault(
        "from ae_multi.parity.trace_recorder import TraceRecorder\n"
        "real = TraceRecorder._chosen\n"
        "TraceRecorder._chosen = lambda self, step: real(self, {3: 4, 4: 3}.get(step, step))\n",
        "order",
        "step 4",
    ),
    "a dropped last batch": Fault(
        "from ae_multi.parity.trace_recorder import TraceRecorder\n"
        "real = TraceRecorder._chosen\n"
        "TraceRecorder._chosen = lambda self, step: real(self, step + step // 7)\n",
        "order",
        "step 8",
    ),
    "a ReLU that leaks 1e-3": Fault(
        "nn = keras.src.backend.nn\nreal = nn.relu\n"
        "nn.relu = lambda x: real(x) + 1e-3 * (x - real(x))",
        "forward",
        "convolution",
    ),
    "a sigmoid by an approximation": Fault(
        "nn = keras.src.backend.nn\nnn.sigmoid = lambda x: 0.5 + 0.5 * x / (1 + abs(x))",
        "forward",
        "pixels",
    ),
    "GELU for ReLU in one layer": Fault(
        _layer("hidden", "ops.gelu(ops.matmul(x, layer.kernel) + layer.bias)"), "forward", "hidden"
    ),
    "float16 in one layer": Fault(
        _layer("square", "real(ops.cast(ops.cast(x, 'float16'), 'float32'))"), "forward", "square"
    ),
    "bfloat16 in one layer": Fault(
        _layer("hidden", "real(ops.cast(ops.cast(x, 'bfloat16'), 'float32'))"), "forward", "hidden"
    ),
    "TF32 in one layer": Fault(_layer("pixels", "real(rounded(x, 11))"), "forward", "pixels"),
    "TF32 in a convolution": Fault(
        _layer("convolution", "real(rounded(x, 11))"), "forward", "convolution"
    ),
    "inputs off by 1e-5": Fault(
        _layer("convolution", "real(x * (1 + 1e-5))"), "forward", "convolution"
    ),
    "a square kernel transposed": Fault(
        _layer("square", "with_kernel(layer, real, x, ops.transpose)"), "forward", "square"
    ),
    "padding on the other side": Fault(
        _layer("convolution", "real(ops.roll(x, 1, axis=1))"), "forward", "convolution"
    ),
    "another order of axes in Flatten": Fault(
        _layer("flat", "real(ops.transpose(x, (0, 3, 1, 2)))"), "forward", "flat"
    ),
    "an image turned upside down": Fault(
        _layer("image", "ops.flip(real(x), axis=1)"), "forward", "image"
    ),
    "another epsilon in BatchNormalization": Fault(
        "defaults(keras.layers.BatchNormalization, epsilon=2e-3)", "forward", "normalisation"
    ),
    "an unbiased variance in BatchNormalization": Fault(
        "nn = keras.src.backend.nn\nreal = nn.moments\n"
        "def moments(*args, **kwargs):\n"
        "    mean, variance = real(*args, **kwargs)\n"
        "    n = ops.cast(ops.size(args[0]) / ops.size(mean), mean.dtype)\n"
        "    return mean, variance * (n / (n - 1))\n"
        "nn.moments = moments\n",
        "training forward",
        "normalisation",
    ),
    "running means used in training": Fault(
        "real = keras.layers.BatchNormalization.call\n"
        "keras.layers.BatchNormalization.call = (\n"
        "    lambda self, x, training=None, mask=None: real(self, x, training=False))\n",
        "training forward",
        "normalisation",
    ),
    "momentum swapped in BatchNormalization": Fault(
        "defaults(keras.layers.BatchNormalization, momentum=0.01)",
        "one step",
        "normalisation/moving_mean",
    ),
    "dropout scaled by a percent too much": Fault(
        _layer("dropout", "real(x) * 1.01 if kw.get('training') else real(x)"),
        "training forward",
        "dropout",
    ),
    "dropout of another seed": Fault(
        "real = keras.layers.Dropout.__init__\n"
        "def init(self, *args, **kwargs):\n"
        "    real(self, *args, **kwargs)\n"
        "    self.seed_generator.state.assign([99, 0])\n"
        "keras.layers.Dropout.__init__ = init\n",
        "noise",
        "dropout",
    ),
    "dropout at another rate": Fault(
        _layer(
            "dropout",
            "real(x) if not kw.get('training') else "
            "keras.random.dropout(x, 0.21, seed=layer.seed_generator)",
        ),
        "training forward",
        "dropout",
    ),
    "a loss summed and not averaged": Fault(
        "defaults(keras.losses.MeanSquaredError, reduction='sum')\n"
        "import keras.src.trainers.compile_utils as utils\n"
        "real = utils.CompileLoss.call\n"
        "utils.CompileLoss.call = lambda self, *a, **k: real(self, *a, **k) * 256\n",
        "gradient",
        "loss",
    ),
    "a bias forgotten": Fault(
        _layer("square", "ops.matmul(x, layer.kernel)"), "gradient", "square/bias"
    ),
    "a gradient stopped in one layer": Fault(
        _layer("square", "with_kernel(layer, real, x, ops.stop_gradient)"),
        "gradient",
        "square/kernel",
    ),
    "a gradient doubled in one layer": Fault(
        _layer("hidden", "with_kernel(layer, real, x, lambda k: k + (k - ops.stop_gradient(k)))"),
        "gradient",
        "hidden/kernel",
    ),
    "Adam with epsilon 1e-8": Fault("defaults(keras.optimizers.Adam, epsilon=1e-8)", "one step"),
    "Adam with epsilon inside the bias correction": Fault(
        _adam(
            "t = ops.cast(self.iterations + 1, 'float32'); "
            "self.epsilon = 1e-7 * ops.sqrt(1 - ops.power(0.999, t))"
        ),
        "one step",
    ),
    "Adam without bias correction": Fault(_adam("learning_rate = learning_rate * 3.1"), "one step"),
    "Adam with beta 2 of .9999": Fault(
        "defaults(keras.optimizers.Adam, beta_2=0.9999)", "one step"
    ),
    "Adam with beta 1 of .95": Fault("defaults(keras.optimizers.Adam, beta_1=0.95)", "losses"),
    "a learning rate a thousandth too large": Fault(
        "real = keras.optimizers.Adam.__init__\n"
        "def init(self, rate=0.001, *args, **kwargs):\n"
        "    real(self, rate * 1.001, *args, **kwargs)\n"
        "keras.optimizers.Adam.__init__ = init\n",
        "one step",
    ),
    "weight decay that nobody asked for": Fault(
        "defaults(keras.optimizers.Adam, weight_decay=0.1)", "one step"
    ),
    "SGD with another momentum": Fault(
        "defaults(keras.optimizers.SGD, momentum=0.9)", "epoch", "step 3"
    ),
    "a test sample left out": Fault(
        "real = keras.Model.predict\n"
        "def predict(self, *args, **kwargs):\n"
        "    found = real(self, *args, **kwargs)\n"
        "    return found if len(found) < 5 else np.concatenate([found[:-1], found[:1]])\n"
        "keras.Model.predict = predict\n",
        "epoch",
        "error of each test sample",
    ),
    **ZOO_FAULTS,
}
