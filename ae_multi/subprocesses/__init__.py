"""Run one job in the interpreter of another environment."""
