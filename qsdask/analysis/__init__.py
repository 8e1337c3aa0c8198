"""Reductions over atoms: activation against strain, the spectrum of softness, and a slice to look at."""
