"""Releases: the signed, protected estimates that leave a city. Written whole, chained, verified without a network."""
