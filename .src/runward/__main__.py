"""`python -m runward`: the same as the installed command."""

from .bin.main import main

if __name__ == "__main__":
    raise SystemExit(main())
