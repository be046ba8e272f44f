"""``engrain`` and ``python -m engrain``: the command line. Its hooks are answered before anything heavy is loaded."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command line of this process; the exit code."""
    words = sys.argv[1:]
    if words[:1] == ["hook"] and not {"--help", "-h"} & {*words}:
        from engrain.shells.hooks import main as hook

        return hook(words[1:])
    from engrain.shells.cli import main as run

    return run()


if __name__ == "__main__":
    sys.exit(main())
