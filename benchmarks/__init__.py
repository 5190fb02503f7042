"""Side-by-side runs against peers on the same data; `make bench` runs them all and prints ratios."""
