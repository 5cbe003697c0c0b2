"""How many passes over the pool does Anderson acceleration save, at equal residual?

On the real embeddings of `benchmarks/transport.py`, 20,000 x 2,000 x 384, in float32.
"""

from harness import parse_arguments, publish
from real_embeddings import real_embeddings

from selection.transport.potentials import solve_potentials

EPS_REL = (0.1, 0.05, 0.02, 0.01)
TOLERANCES = (1e-3, 1e-5)
LIBRARIES = ("numpy", "torch")


def main() -> None:
    """Count, print and, with --json, write."""
    arguments = parse_arguments(__doc__)
    real = real_embeddings(*((3000, 500) if arguments.quick else (20_000, 2000)))
    figures: dict[str, int] = {}
    for eps_rel in EPS_REL:
        for tol in TOLERANCES:
            for name, accelerate in (("plain", False), ("accelerated", True)):
                solved = solve_potentials(
                    real.pool_ND, real.target_MD, eps_rel=eps_rel, tol=tol, accelerate=accelerate
                )
                figures[f"eps_rel {eps_rel}, residual {tol:g}, {name}"] = solved.iterations
    publish(figures, LIBRARIES, arguments.json)


if __name__ == "__main__":
    main()
