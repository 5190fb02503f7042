"""`python -m safercities` is the command line."""

from safercities.cli import main

main()
