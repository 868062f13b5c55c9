"""TensorFlow by hand: a loop inside one function that XLA compiles, Adam written out."""

import tensorflow as tf

ACTIVATIONS = {"relu": tf.nn.relu, "sigmoid": tf.sigmoid, "linear": tf.identity}


def train(layers, x, batch_size, rate):
    """See `benchmarks.native`."""
    weights = [tf.Variable(part) for kernel, bias, _ in layers for part in (kernel, bias)]
    first = [tf.Variable(tf.zeros_like(weight)) for weight in weights]
    second = [tf.Variable(tf.zeros_like(weight)) for weight in weights]
    count = tf.Variable(0.0)
    data = tf.constant(x)

    def step(batch):
        with tf.GradientTape() as tape:
            h = batch
            for place, (*_, name) in enumerate(layers):
                h = ACTIVATIONS[name](h @ weights[2 * place] + weights[2 * place + 1])
            loss = tf.reduce_mean((h - batch) ** 2)
        gradients = tape.gradient(loss, weights)
        count.assign_add(1.0)
        alpha = rate * tf.sqrt(1 - 0.999**count) / (1 - 0.9**count)
        for w, m, v, g in zip(weights, first, second, gradients, strict=True):
            m.assign_add((g - m) * 0.1)
            v.assign_add((g * g - v) * 0.001)
            w.assign_sub(alpha * m / (tf.sqrt(v) + 1e-7))
        return loss

    @tf.function(jit_compile=True, autograph=False)
    def run(data, order):
        steps = order.shape[0]

        def body(place, losses):
            return place + 1, losses.write(place, step(tf.gather(data, order[place])))

        losses = tf.TensorArray(tf.float32, steps, element_shape=())
        _, losses = tf.while_loop(lambda place, _: place < steps, body, (0, losses))
        return losses.stack()

    return lambda order: run(data, tf.constant(order)).numpy()
