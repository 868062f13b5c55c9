"""Presentation of results: tables, figures, JSON and progress. Nothing here computes results."""
