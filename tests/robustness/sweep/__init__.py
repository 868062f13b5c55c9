"""A sweep over Keras layers: random configurations compared with float64 on every backend."""
