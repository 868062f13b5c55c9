"""Every optimizer of Keras with its options, and a model whose gradients are exact."""

from dataclasses import dataclass, field

import numpy as np

from tests.reference import optimizer_rules as rules
from tests.reference.rounding import Rounded

STEPS, RATE = 20, 0.01
SHAPES = {"kernel": (3, 2), "bias": (3,)}
SIZE = sum(int(np.prod(shape)) for shape in SHAPES.values())

MOMENTS = {"_momentums": 0.0, "_velocities": 0.0}
# Optimizer: (rule, initial state).
RULES = {
    "SGD": (rules.sgd, {"momentums": 0.0}),
    "RMSprop": (
        rules.rmsprop,
        {"_velocities": 0.0, "_momentums": 0.0, "_average_gradients": 0.0},
    ),
    "Adam": (rules.adam, {**MOMENTS, "_velocity_hats": 0.0}),
    "AdamW": (rules.adam, {**MOMENTS, "_velocity_hats": 0.0}),
    "Adamax": (rules.adamax, {"_m": 0.0, "_u": 0.0}),
    "Nadam": (rules.nadam, {**MOMENTS, "_u_product": 1.0}),
    "Adadelta": (rules.adadelta, {"_accumulated_grads": 0.0, "_accumulated_delta_vars": 0.0}),
    "Adagrad": (rules.adagrad, {"_accumulators": 0.1}),
    "Ftrl": (rules.ftrl, {"_accumulators": 0.1, "_linears": 0.0}),
    "Lion": (rules.lion, {"_momentums": 0.0}),
    "Lamb": (rules.lamb, MOMENTS),
    "Adafactor": (rules.adafactor, {"_r": 0.0, "_c": 0.0, "_v": 0.0}),
    "Muon": (rules.muon, {"momentums": 0.0, "adam_velocities": 0.0}),
    "ScheduleFreeAdamW": (rules.schedule_free, {"_momentums": None, "_velocities": 0.0}),
}
# Names of options in the rules and in Keras, where they differ.
KERAS_NAMES = {
    "power": "learning_rate_power",
    "l1": "l1_regularization_strength",
    "l2": "l2_regularization_strength",
    "shrinkage": "l2_shrinkage_regularization_strength",
    "decay": "beta_2_decay",
    "threshold": "clip_threshold",
    "warmup": "warmup_steps",
}
OWN = {
    "SGD": [{}, {"momentum": 0.9}, {"momentum": 0.9, "nesterov": True}],
    "RMSprop": [{}, {"centered": True, "epsilon": 1e-3}, {"momentum": 0.5, "rho": 0.8}],
    "Adam": [{}, {"amsgrad": True}, {"beta_1": 0.8, "beta_2": 0.97, "epsilon": 1e-3}],
    "AdamW": [{}],
    "Ftrl": [{}, {"l1": 0.01, "l2": 0.02, "shrinkage": 0.1, "beta": 0.3, "power": -0.4}],
    "Adafactor": [{}, {"relative_step": False, "decay": -0.7, "threshold": 0.5}],
    "Muon": [{}, {"nesterov": False, "momentum": 0.8, "rms_rate": 0.5, "adam_lr_ratio": 0.1}],
    "ScheduleFreeAdamW": [{}, {"warmup": 4}],
}
COMMON = [
    {"weight_decay": 0.1},
    {"weight_decay": 0.1, "excluded": "bias"},
    {"clipnorm": 0.5},
    {"global_clipnorm": 0.5},
    {"clipvalue": 0.3},
    {"use_ema": True, "ema_momentum": 0.9},
    {"schedule": 0.5},
]
# Options that act only in some steps. On PyTorch, Keras runs them in Python.
SOMETIMES = [
    {"gradient_accumulation_steps": 3},
    {"use_ema": True, "ema_overwrite_frequency": 3},
    {"gradient_accumulation_steps": 2, "use_ema": True, "ema_overwrite_frequency": 2},
]


@dataclass(frozen=True)
class Case:
    """An optimizer with specific and common options."""

    kind: str
    own: dict = field(default_factory=dict)
    common: dict = field(default_factory=dict)

    def optimizer(self, keras):
        """Return the Keras optimizer."""
        kinds, common, rate = keras.optimizers, dict(self.common), RATE
        excluded, factor = common.pop("excluded", None), common.pop("schedule", None)
        if factor:
            rate = kinds.schedules.ExponentialDecay(RATE, 5, factor)
        if self.kind == "Muon":  # AdamW decays weights by default
            decay = common.pop("weight_decay", None)
            common |= {"weight_decay": decay, "adam_weight_decay": decay}
        own = {KERAS_NAMES.get(name, name): value for name, value in self.own.items()}
        optimizer = getattr(kinds, self.kind)(rate, **own, **common)
        if excluded:
            optimizer.exclude_from_weight_decay(var_names=[excluded])
        return optimizer

    def training(self, weights, backend):
        """Return the reference `Training` of a backend, starting from the dict ``weights``."""
        rule, state = RULES[self.kind]
        decay = {"weight_decay": 0.004} if self.kind == "AdamW" else {}
        late = {"late": backend != "jax"} if self.kind == "ScheduleFreeAdamW" else {}
        start = Rounded(np.float32(RATE))
        factor = self.common.get("schedule")
        power = 1.0 if factor is None else factor

        def rate(steps):
            return start if factor is None else RATE * Rounded(power) ** (Rounded(steps) / 5).value

        return rules.Training(rule, weights, state, rate, self.own | late, decay | self.common)


def cases(kinds, options):
    """Return cases of each of ``kinds`` with each of the common ``options``."""
    return [Case(kind, {}, common) for kind in kinds for common in options]


def own_cases():
    """Return cases of each optimizer with its specific options."""
    return [Case(kind, own) for kind in RULES for own in OWN.get(kind, [{}])]


def data(count):
    """Return gradients and weights of ``count`` cases, all with the same values.

    They are float32 arrays (STEPS, count · SIZE) and (count · SIZE,). Gradients have magnitudes
    from 1e-4 to 1e2.
    """
    rng = np.random.default_rng(0)
    scales = 10.0 ** rng.uniform(-4, 2, SIZE)
    gradients = (rng.normal(size=(STEPS, SIZE)) * scales).astype(np.float32)
    weights = rng.normal(size=SIZE).astype(np.float32)
    return np.tile(gradients, count), np.tile(weights, count)


def parts(row, number):
    """Return the weights of case ``number`` in a row: dict of name to array."""
    kernel = int(np.prod(SHAPES["kernel"]))
    row = row[number * SIZE : (number + 1) * SIZE]
    return {"kernel": row[:kernel].reshape(SHAPES["kernel"]), "bias": row[kernel:]}


def model(keras, count):
    """Return a model that is the product of its input and weights: gradients equal the input."""
    ops = keras.ops

    class Products(keras.layers.Layer):
        def build(self, shape):
            self.parts = [
                self.add_weight(shape=shape, name=f"{name}_{number}")
                for number in range(count)
                for name, shape in SHAPES.items()
            ]

        def call(self, x):
            total, place = 0.0, 0
            for weight in self.parts:
                size = int(np.prod(weight.shape))
                factor = ops.reshape(x[:, place : place + size], (-1, *weight.shape))
                total += ops.sum(factor * weight)
                place += size
            return ops.reshape(total, (1, 1))

    model = keras.Sequential([keras.Input((count * SIZE,)), Products()])
    _, weights = data(count)
    model.set_weights([part for number in range(count) for part in parts(weights, number).values()])
    return model


def joined(keras, cases):
    """Return (`MultiOptimizer` with an optimizer for the weights of each case, its optimizers)."""
    optimizers = [case.optimizer(keras) for case in cases]
    return keras.optimizers.MultiOptimizer(
        lambda variable: optimizers[int(variable.path.rsplit("_", 1)[1])],
        loss_scale_factor=2.0**10,
    ), optimizers


def variables_of(optimizer, name, place):
    """Return the variable in the attribute ``name`` of an optimizer for weight ``place``."""
    found = getattr(optimizer, name, None)
    if isinstance(found, list):
        return found[place] if found else None
    return found
