"""Figures, printed by `make bench`. Each module has a `main` that prints its own, judging none."""
