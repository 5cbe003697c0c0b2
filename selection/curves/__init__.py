"""How score grows with compute: staircases of arms, fitted curves, and where two curves cross."""

from selection.curves.break_even import crossing
from selection.curves.joint import fit_curve, fit_curves
from selection.curves.single import CurveFit
from selection.curves.staircase import Point, frontier, loss_point

__all__ = [
    "CurveFit",
    "Point",
    "crossing",
    "fit_curve",
    "fit_curves",
    "frontier",
    "loss_point",
]
