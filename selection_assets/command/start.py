"""The program `selection`: what can be stopped at any moment, with one line and no traceback."""

import gc
import sys

from selection_assets.command.stopping import BY_A_SIGNAL, STOPPED

COLLECTING = (10_000, 10, 10)
"""New objects before Python looks for unreachable circles among them, and how often it looks among
older ones. The libraries that a command loads make a million objects that stay: to look through
them as often as Python does by itself takes a sixth of the time of loading them."""


def console() -> None:
    """Run the command line as a program of its own."""
    gc.set_threshold(*COLLECTING)
    try:
        # Imported here, since that takes a moment, in which Ctrl-C may come too.
        from selection_assets.command.cli import main

        main()
    except KeyboardInterrupt:
        print(f"Error: {STOPPED}", file=sys.stderr)
        sys.exit(BY_A_SIGNAL)


if __name__ == "__main__":
    console()
