"""`python -m drd_plugin`."""

from .cli import main

main()
