"""A sweep over Keras's layers: random configurations, held against float64 on every backend."""
