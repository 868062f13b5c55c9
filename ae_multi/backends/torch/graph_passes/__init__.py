"""Passes over a recorded graph: what Keras adds to a step and nobody would write by hand."""
