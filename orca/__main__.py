"""`python -m orca` is the `orca` command."""

from orca.cli.main import main

if __name__ == "__main__":
    main()
