"""Rows of a frame on their way into a store: where each atom belongs, and which glass it is."""
