"""Atomic writes and safe readers of untrusted files.

For any bytes, a reader returns valid content or raises `InputError`. It checks the sizes that a
file states against its contents before it allocates memory. It never executes code, follows a
link or opens another file.
"""
