"""Which rows of a pool would lower a target's loss: gradients' influence (LESS, 2402.04333)."""
