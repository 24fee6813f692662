"""The command line, `python -m kwta`: one module for each command, over the same functions as the library."""
