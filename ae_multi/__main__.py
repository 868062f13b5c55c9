"""``python -m ae_multi`` is the command ``ae-multi``."""

from ae_multi.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
