"""The tests. A package, so that `tests.…` never means another distribution's folder of that name."""
