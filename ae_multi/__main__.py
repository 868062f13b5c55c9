"""Run the command ``ae-multi`` with ``python -m ae_multi``."""

from ae_multi.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
