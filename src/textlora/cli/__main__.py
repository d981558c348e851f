"""`python -m textlora.cli`."""

from textlora.cli import main

main()
