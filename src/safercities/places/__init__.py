"""Hierarchies, boundaries, points to places, populations."""
