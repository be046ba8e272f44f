"""``python -m engrain`` is the command line."""

from __future__ import annotations

import sys

from engrain.shells.cli import main

if __name__ == "__main__":
    sys.exit(main())
