"""`python -m autotl.cli`: the command line without its script."""

from autotl.cli import main

main()
