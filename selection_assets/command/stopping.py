"""What a person is told who has stopped a command."""

BY_A_SIGNAL = 130
"""How shells call the end of what Ctrl-C has stopped."""

STOPPED = "stopped: what was finished is kept, and the same command goes on from there"
