"""Passes that remove redundant operations from a recorded graph."""
