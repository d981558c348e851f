"""`python -m textlora`: the command line, for launchers that start a module."""

from textlora.cli import main

main()
