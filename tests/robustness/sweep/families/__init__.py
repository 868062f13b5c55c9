"""Random configurations, one family of layers a file.

Each file has ``DRAWS``: dict of a class in `keras.layers` to a function from a `Draw` to a list
of `Configuration`, all of that class. Samples are kept few and small, and their shapes alike from
layer to layer: JAX compiles each operation anew for each new shape.
"""

# A sample's shape for layers over 1, 2 or 3 dimensions in space, channels last.
SPATIAL = {
    1: ((7, 4), (8, 4)),
    2: ((7, 6, 4), (8, 8, 4)),
    3: ((5, 4, 6, 4), (6, 6, 6, 4)),
}
