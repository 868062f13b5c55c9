"""The counter hash of `ae_multi.randomness.noise` in Python integers."""

import hashlib
import struct


def mix(x):
    """Return Chris Wellons's lowbias32 hash of an unsigned 32-bit integer."""
    x ^= x >> 16
    x = x * 0x7FEB352D & 0xFFFFFFFF
    x ^= x >> 15
    x = x * 0x846CA68B & 0xFFFFFFFF
    return x ^ x >> 16


def bits(count, seed, step, purpose):
    """Return a list of ``count`` unsigned 32-bit integers."""
    digest = hashlib.blake2b(f"{seed}/{purpose}".encode(), digest_size=12).digest()
    first, second, third = struct.unpack("<3I", digest)
    moment = mix((step & 0xFFFFFFFF) ^ second)
    return [mix(((mix(i ^ first) + moment) & 0xFFFFFFFF) ^ third) for i in range(count)]
