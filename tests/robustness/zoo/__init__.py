"""Common architectures at reduced size, compared between all backends."""
