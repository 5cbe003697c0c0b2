"""The program `selection`: what can be stopped at any moment, with one line and no traceback."""

import sys

from selection_assets.command.stopping import BY_A_SIGNAL, STOPPED


def console() -> None:
    """Run the command line as a program of its own."""
    try:
        # Imported here, since that takes a moment, in which Ctrl-C may come too.
        from selection_assets.command.cli import main

        main()
    except KeyboardInterrupt:
        print(f"Error: {STOPPED}", file=sys.stderr)
        sys.exit(BY_A_SIGNAL)


if __name__ == "__main__":
    console()
