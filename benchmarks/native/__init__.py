"""Hand-written training loops without Keras, the fastest known for each framework.

Each module has ``WAYS``, the names of the variants of the loop, the default first, and
``train(layers, x, rate, way)``, which returns a function ``epoch(order)``:

    layers   list of `benchmarks.native.description.Layer`
    x        samples, float32 (n, ...), also the targets; the loss is the mean squared error
    rate     learning rate of Adam; beta 0.9 and 0.999, epsilon 1e-7, as in Keras
    way      a name of ``WAYS``
    order    int32 (steps, batch): indices of samples, one row per step

``epoch`` continues the training and returns the loss of each step, NumPy float32 (steps,). No
variant is the fastest for every network: `benchmarks.contenders` times all and uses the fastest.
"""
