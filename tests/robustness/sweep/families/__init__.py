"""Random configurations, one file per family of layers.

Each file has ``DRAWS``: dict of the name of a class in `keras.layers` to a function that takes a
`Draw` and returns a list of `Configuration`, all of that class. Samples are few and small, and
layers share shapes, since JAX compiles each operation again for each new shape.
"""

# Shapes of one sample by number of spatial dimensions, channels last.
SPATIAL = {
    1: ((7, 4), (8, 4)),
    2: ((7, 6, 4), (8, 8, 4)),
    3: ((5, 4, 6, 4), (6, 6, 6, 4)),
}
