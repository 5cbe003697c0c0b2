"""Entropic optimal transport between a pool of rows and a target."""

from selection.transport.potentials import solve_potentials
from selection.transport.scores import score_rows
from selection.transport.solution import Potentials

__all__ = ["Potentials", "score_rows", "solve_potentials"]
