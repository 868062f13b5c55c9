"""The optimizers of Keras in NumPy, with bounds of rounding in float32.

A rule is a function of (weight, gradient, rate, step, state, options) that returns the new weight;
it changes ``state``, a dict of the optimizer's attributes. Steps count from 1.
Where Keras computes 1 - β in float32 the bounds include that rounding.
"""

import re

import numpy as np

from tests.reference.rounding import Rounded, rounded

ADAM = {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7}


def float32(number):
    """Return a Python number as `Rounded`, cast to float32 as Keras does."""
    return Rounded(np.float32(number))


def sgd(w, g, rate, t, state, momentum=0.0, nesterov=False):
    """SGD."""
    if not momentum:
        return w - g * rate
    m = state["momentums"] = state["momentums"] * momentum - g * rate
    return w + (m * momentum - g * rate if nesterov else m)


def rmsprop(w, g, rate, t, state, rho=0.9, momentum=0.0, epsilon=1e-7, centered=False):
    """RMSprop."""
    v = state["_velocities"] = rho * state["_velocities"] + (1 - rho) * (g * g)
    if centered:
        mean = rho * state["_average_gradients"] + (1 - rho) * g
        state["_average_gradients"] = mean
        v = v - mean * mean
    step = rate * g / (v + epsilon).sqrt()
    if momentum:
        step = state["_momentums"] = momentum * state["_momentums"] + step
    return w - step


def _moments(g, state, beta_1, beta_2):
    m, v = state["_momentums"], state["_velocities"]
    m = state["_momentums"] = m + (g - m) * (1 - beta_1)
    v = state["_velocities"] = v + (g * g - v) * (1 - beta_2)
    return m, v


def adam(w, g, rate, t, state, amsgrad=False, beta_1=0.9, beta_2=0.999, epsilon=1e-7):
    """Adam and AdamW."""
    alpha = rate * (1 - float32(beta_2) ** t).sqrt() / (1 - float32(beta_1) ** t)
    m, v = _moments(g, state, beta_1, beta_2)
    if amsgrad:
        v = state["_velocity_hats"] = state["_velocity_hats"].maximum(v)
    return w - m * alpha / (v.sqrt() + epsilon)


def adamax(w, g, rate, t, state, beta_1=0.9, beta_2=0.999, epsilon=1e-7):
    """Adamax."""
    m = state["_m"] = state["_m"] + (g - state["_m"]) * (1 - beta_1)
    u = state["_u"] = (beta_2 * state["_u"]).maximum(abs(g))
    return w - rate * m / ((1 - float32(beta_1) ** t) * (u + epsilon))


def nadam(w, g, rate, t, state, beta_1=0.9, beta_2=0.999, epsilon=1e-7):
    """Nadam; all weights share the running product."""
    now, after = [beta_1 * (1 - 0.5 * float32(0.96) ** step) for step in (t, t + 1)]
    product = state["_u_product"]
    if state["first"]:
        product = state["_u_product"] = product * now
    # 1 - β is computed in float64 on PyTorch and in float32 on the others.
    m, v = _moments(g, state, rounded(beta_1), rounded(beta_2))
    m = after * m / (1 - product * after) + (1 - now) * g / (1 - product)
    return w - m * rate / ((v / (1 - float32(beta_2) ** t)).sqrt() + epsilon)


def adadelta(w, g, rate, t, state, rho=0.95, epsilon=1e-7):
    """Adadelta."""
    grads = rho * state["_accumulated_grads"] + (1 - rho) * (g * g)
    before = state["_accumulated_delta_vars"]
    step = (before + epsilon).sqrt() * g / (grads + epsilon).sqrt()
    state["_accumulated_grads"] = grads
    state["_accumulated_delta_vars"] = rho * before + (1 - rho) * (step * step)
    return w - rate * step


def adagrad(w, g, rate, t, state, epsilon=1e-7):
    """Adagrad."""
    total = state["_accumulators"] = state["_accumulators"] + g * g
    return w - rate * g / (total + epsilon).sqrt()


def ftrl(w, g, rate, t, state, power=-0.5, l1=0.0, l2=0.0, shrinkage=0.0, beta=0.0):
    """FTRL-proximal."""
    before = state["_accumulators"]
    after = state["_accumulators"] = before + g * g
    change = (after**-power - before**-power) / rate * w
    linear = state["_linears"] = state["_linears"] + (g + 2 * shrinkage * w - change)
    quadratic = after**-power / rate + 2 * (l2 + beta / (2 * rate))
    return (linear.minimum(l1).maximum(-l1) - linear) / quadratic


def lion(w, g, rate, t, state, beta_1=0.9, beta_2=0.99):
    """Lion."""
    b1, m = float32(beta_1), state["_momentums"]
    state["_momentums"] = m * rounded(beta_2) + g * (1 - rounded(beta_2))
    return w - rate * (m * b1 + g * (1 - b1)).sign()


def lamb(w, g, rate, t, state, beta_1=0.9, beta_2=0.999, epsilon=1e-7):
    """LAMB."""
    m, v = _moments(g, state, beta_1, beta_2)
    v = (v / (1 - float32(beta_2) ** t)).sqrt() + epsilon
    update = m / (1 - float32(beta_1) ** t) / v
    ratio = (w * w).sum().sqrt() / (update * update).sum().sqrt()
    return w - ratio * rate * update


def adafactor(w, g, rate, t, state, relative_step=True, decay=-0.8, threshold=1.0):
    """Adafactor."""
    root = 1 / Rounded(t).sqrt()
    if relative_step:
        rate = rate.minimum(root)
    alpha = _rms(w).maximum(1e-3) * rate.minimum(root)
    squares, beta = g * g + 1e-30, 1 - Rounded(t) ** decay
    if w.value.ndim < 2:
        v = beta * state["_v"] + (1 - beta) * squares
    else:
        r = state["_r"] = beta * state["_r"] + (1 - beta) * squares.mean(-1)
        c = state["_c"] = beta * state["_c"] + (1 - beta) * squares.mean(-2)
        v = (r / r.mean(-1, True))[..., None] * c[..., None, :]
    state["_v"] = v
    update = g / v.sqrt()
    return w - alpha * (update / (_rms(update) / threshold).maximum(1.0))


def _rms(x):
    return (x * x).mean().sqrt()


def muon(w, g, rate, t, state, momentum=0.95, nesterov=True, rms_rate=0.2, adam_lr_ratio=1.0):
    """Muon for matrices, Adam for other weights."""
    if w.value.ndim != 2:
        moments = {"_momentums": state["momentums"], "_velocities": state["adam_velocities"]}
        w = adam(w, g, rate * adam_lr_ratio, t, moments)
        state["momentums"], state["adam_velocities"] = moments.values()
        return w
    m = state["momentums"] = state["momentums"] + (g + state["momentums"] * (momentum - 1))
    x = g + momentum * m if nesterov else m
    x = x.T  # more rows than columns
    x = x / ((x * x).sum().sqrt() + 1e-7)
    for _ in range(5):
        square = x @ x.T
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
    return w - x.T * rate * rounded(max(w.value.shape)).sqrt() * rms_rate


def schedule_free(
    w, g, rate, t, state, warmup=0, late=False, beta_1=0.9, beta_2=0.999, epsilon=1e-8
):
    """AdamW without a schedule (Defazio et al., 2024).

    ``late`` reproduces Keras 3.15 on PyTorch and TensorFlow, where an assignment changes a tensor
    that was read before it: the iterate after the step takes the place of the one before it.
    """
    b1, b2 = float32(beta_1), float32(beta_2)
    if warmup:
        rate = rate * (Rounded(t) / warmup).minimum(1.0)
    v, old = state["_velocities"], state["_momentums"]
    v = state["_velocities"] = v + (g * g - v) * (1 - b2)
    z = state["_momentums"] = old - rate * g / ((v / (1 - b2**t)).sqrt() + epsilon)
    x = (w - (1 - b1) * (z if late else old)) / b1
    weight = 1 / Rounded(t)
    return (1 - b1) * z + b1 * ((1 - weight) * x + weight * z)


class Training:
    """Weights trained by a rule, with the options common to all optimizers of Keras.

    Args:
        rule: one of the functions above.
        weights: dict of name to array.
        state: dict of name to initial value; None for that of the weight.
        rate: function of the number of finished steps that returns the learning rate, `Rounded`.
        own: options of the rule.
        common: options of all optimizers.
    """

    def __init__(self, rule, weights, state, rate, own, common):
        self.weights = {name: Rounded(value) for name, value in weights.items()}
        self.state = {
            name: {
                key: Rounded(w if start is None else np.full(_shape(key, w), start))
                for key, start in state.items()
            }
            for name, w in weights.items()
        }
        self.average = {name: Rounded(np.zeros_like(w)) for name, w in weights.items()}
        self.sums = dict(self.average)
        self.steps, self._rule, self._rate, self._own = 0, rule, rate, own
        self._get = common.get

    def step(self, gradients):
        """Take one step with ``gradients``, a dict of name to array."""
        gradients = {name: Rounded(value) for name, value in gradients.items()}
        many = self._get("gradient_accumulation_steps", 1)
        updates, done = self.steps // many, (self.steps + 1) % many == 0
        total = {name: gradients[name] + self.sums[name] for name in gradients}
        if many > 1:
            self.sums = {
                name: Rounded(np.zeros_like(g.value)) if done else g for name, g in total.items()
            }
            gradients = {name: g / many for name, g in total.items()}
        if done:
            rate = self._rate(self.steps)
            self._update(self._clipped(gradients), rate, updates + 1)
        if self._get("use_ema"):
            momentum = self._get("ema_momentum", 0.99) if updates else 0.0
            for name, w in self.weights.items():
                self.average[name] = momentum * self.average[name] + (1 - rounded(momentum)) * w
            every = self._get("ema_overwrite_frequency")
            if every and (updates + 1) % every == 0:
                self.weights = dict(self.average)
        self.steps += 1

    def _update(self, gradients, rate, t):
        decay = self._get("weight_decay")
        for number, (name, w) in enumerate(self.weights.items()):
            excluded = re.search(self._get("excluded", "nothing"), name)
            if decay and not excluded:
                w = w - w * decay * rate
            state = self.state[name]
            state["first"] = number == 0
            if number and "_u_product" in state:
                state["_u_product"] = next(iter(self.state.values()))["_u_product"]
            self.weights[name] = self._rule(w, gradients[name], rate, t, state, **self._own)

    def _clipped(self, gradients):
        if norm := self._get("clipnorm"):
            return {
                name: g * norm / (g * g).sum().sqrt().maximum(norm) for name, g in gradients.items()
            }
        if norm := self._get("global_clipnorm"):
            total = rounded(0.0)
            for g in gradients.values():
                total = total + (g * g).sum()
            scale = norm * (1 / total.sqrt()).minimum(1 / rounded(norm))
            return {name: g * scale for name, g in gradients.items()}
        if limit := self._get("clipvalue"):
            return {name: g.minimum(limit).maximum(-limit) for name, g in gradients.items()}
        return gradients


def _shape(key, weight):
    """Return the shape of a weight's state, which is smaller for Adafactor."""
    shape = np.shape(weight)
    if key == "_u_product" or (key in ("_r", "_c") and len(shape) < 2):
        return ()
    return {"_r": shape[:-1], "_c": shape[:-2] + shape[-1:]}.get(key, shape)
