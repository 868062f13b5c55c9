"""Training loops without Keras, the best that were found by hand for each framework.

Each module has ``train(layers, x, batch_size, rate)``, which returns a function ``epoch(order)``:

    layers   list of (kernel (in, out), bias (out,), activation), NumPy float32 and a name
    x        samples, float32 (n, pixels), which are their own target under the mean squared error
    rate     Adam's learning rate; beta 0.9 and 0.999, epsilon 1e-7, as in Keras
    order    int32 (steps, batch): one step for each row

``epoch`` trains on and returns each step's loss, NumPy float32 (steps,).
"""
