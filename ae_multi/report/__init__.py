"""Presentation of results: tables, figures, HTML pages, JSON files and progress."""
