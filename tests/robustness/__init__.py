"""Fault injection, false positives, crash recovery, fuzzing, and the sweep over layers."""
