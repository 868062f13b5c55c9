"""Training loops without Keras, the best that were found by hand for each framework.

Each module has ``WAYS``, names of ways to run the loop, the one to begin with first, and
``train(layers, x, rate, way)``, which returns a function ``epoch(order)``:

    layers   list of `benchmarks.native.description.Layer`
    x        samples, float32 (n, ...), which are their own target under the mean squared error
    rate     Adam's learning rate; beta 0.9 and 0.999, epsilon 1e-7, as in Keras
    way      a name in ``WAYS``
    order    int32 (steps, batch): one step for each row

``epoch`` trains on and returns each step's loss, NumPy float32 (steps,). No way is the fastest for
every network, so `benchmarks.contenders` times them all and keeps the one that wins.
"""
