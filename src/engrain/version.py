"""The version, as a literal: reading package metadata at import costs more than the rest of the import."""

__version__ = "0.1.0"
