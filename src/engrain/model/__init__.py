"""Frozen values that cross the public surface. No I/O, no dependency on the rest of the package."""
