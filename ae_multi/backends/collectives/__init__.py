"""Communication between the workers of a training, one module for each framework."""
