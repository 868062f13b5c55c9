"""A generative adversarial network: a model with a second optimizer in a custom `train_step`."""

import numpy as np


def adversarial(keras):
    """Return (compiled model, optimizer of its discriminator), with fixed initial weights."""
    layers, ops, backend = keras.layers, keras.ops, keras.config.backend()
    generator = keras.Sequential(
        [keras.Input((12,)), layers.Dense(6, "tanh"), layers.Dense(12, "sigmoid")]
    )
    discriminator = keras.Sequential([keras.Input((12,)), layers.Dense(5, "tanh"), layers.Dense(1)])
    discriminator_optimizer = keras.optimizers.Adam(1e-2)

    def cross_entropy(real, logits):
        target = ops.ones_like(logits) if real else ops.zeros_like(logits)
        return ops.mean(keras.losses.binary_crossentropy(target, logits, from_logits=True))

    class Adversarial(keras.Model):
        def __init__(self):
            super().__init__()
            self.generator, self.discriminator = generator, discriminator
            # Neither Keras nor PyTorch tracks an optimizer in a plain list.
            self.optimizers = {"discriminator": discriminator_optimizer}
            self.seen = keras.metrics.Sum("seen")
            self.built = True

        def call(self, x):
            return self.generator(x)

        def losses_of(self, x):
            fake = self.generator(x)
            fooled = self.discriminator(fake)
            both = cross_entropy(True, self.discriminator(x)) + cross_entropy(False, fooled)
            return both, cross_entropy(True, fooled) + ops.mean(ops.square(fake - x))

        def train_step(self, data):
            x, _, _ = keras.utils.unpack_x_y_sample_weight(data)
            parts = (
                (discriminator_optimizer, self.discriminator.trainable_variables),
                (self.optimizer, self.generator.trainable_variables),
            )
            if backend == "tensorflow":
                import tensorflow as tf

                with tf.GradientTape(persistent=True) as tape:
                    losses = self.losses_of(x)
                for loss, (optimizer, weights) in zip(losses, parts, strict=True):
                    optimizer.apply(tape.gradient(loss, weights), weights)
            else:
                import torch

                losses = self.losses_of(x)
                found = [
                    torch.autograd.grad(
                        loss, [weight.value for weight in weights], retain_graph=True
                    )
                    for loss, (_, weights) in zip(losses, parts, strict=True)
                ]
                with torch.no_grad():
                    for gradients, (optimizer, weights) in zip(found, parts, strict=True):
                        optimizer.apply(list(gradients), weights)
            self.seen.update_state(losses[0])
            return {"loss": losses[1], "discriminator": losses[0]}

    model = Adversarial()
    rng = np.random.default_rng(0)
    for weight in (*generator.trainable_variables, *discriminator.trainable_variables):
        weight.assign(rng.normal(0, 0.4, weight.shape))
    model.compile(keras.optimizers.Adam(1e-2), "mse")
    return model, discriminator_optimizer
