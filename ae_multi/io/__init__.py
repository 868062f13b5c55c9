"""Careful readers: whatever bytes they are given, they return valid content or raise `InputError`.

Each checks what a file says of itself against what the file holds before it takes memory, and
none runs code, follows a link or leaves the file that it was given.
"""
