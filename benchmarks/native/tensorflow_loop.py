"""Hand-written TensorFlow loop: all steps in one `tf.function`, explicit Adam.

xla       the function compiled by XLA, which does not finish compiling convolutions on a CPU
executor  the function run by TensorFlow's executor
"""

import tensorflow as tf

WAYS = ("xla", "executor")
ACTIVATIONS = {"relu": tf.nn.relu, "sigmoid": tf.sigmoid, "linear": tf.identity}


def train(layers, x, rate, way):
    """See `benchmarks.native`."""
    pairs = [
        None if layer.kernel is None else (tf.Variable(layer.kernel), tf.Variable(layer.bias))
        for layer in layers
    ]
    weights = [weight for pair in pairs if pair for weight in pair]
    first = [tf.Variable(tf.zeros_like(weight)) for weight in weights]
    second = [tf.Variable(tf.zeros_like(weight)) for weight in weights]
    count = tf.Variable(0.0)
    data = tf.constant(x.reshape(len(x), -1))

    def step(batch):
        with tf.GradientTape() as tape:
            h = tf.reshape(batch, (-1, *x.shape[1:]))
            for layer, pair in zip(layers, pairs, strict=True):
                h = _layer(layer, pair, h)
            loss = tf.reduce_mean((tf.reshape(h, tf.shape(batch)) - batch) ** 2)
        gradients = tape.gradient(loss, weights)
        count.assign_add(1.0)
        alpha = rate * tf.sqrt(1 - 0.999**count) / (1 - 0.9**count)
        for w, m, v, g in zip(weights, first, second, gradients, strict=True):
            m.assign_add((g - m) * 0.1)
            v.assign_add((g * g - v) * 0.001)
            w.assign_sub(alpha * m / (tf.sqrt(v) + 1e-7))
        return loss

    @tf.function(jit_compile=way == "xla", autograph=False)
    def run(data, order):
        steps = order.shape[0]

        def body(place, losses):
            return place + 1, losses.write(place, step(tf.gather(data, order[place])))

        losses = tf.TensorArray(tf.float32, steps, element_shape=())
        _, losses = tf.while_loop(
            lambda place, _: place < steps, body, (0, losses), parallel_iterations=1
        )
        return losses.stack()

    return lambda order: run(data, tf.constant(order)).numpy()


def _layer(layer, pair, h):
    if layer.kind == "reshape":
        return tf.reshape(h, (-1, *layer.output_shape))
    kernel, bias = pair
    if layer.kind == "dense":
        h = h @ kernel
    elif layer.kind == "conv":
        h = tf.nn.conv2d(h, kernel, 2, "SAME")
    else:
        shape = (tf.shape(h)[0], *layer.output_shape)
        h = tf.nn.conv2d_transpose(h, kernel, shape, 2, "SAME")
    return ACTIVATIONS[layer.activation](h + bias)
