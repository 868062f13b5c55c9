"""Interpreters that carry a fault, which is put in place before the work begins."""


def altered(python, folder, code):
    """A script that runs ``python``, and ``code`` once a worker has imported all that it needs.

    Args:
        python: the interpreter.
        folder: a folder to make, for the script and what it needs.
        code: Python in which ``keras`` is at hand.
    """
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(
        "import builtins, sys\n"
        "real, done = builtins.__import__, []\n"
        "def importing(name, *args, **kwargs):\n"
        "    module = real(name, *args, **kwargs)\n"
        "    caller = (args[0] if args else kwargs.get('globals') or {}).get('__name__')\n"
        "    if not done and caller == '__main__' and 'ae_multi.parity.record' in sys.modules:\n"
        "        done.append(1)\n"
        f"        exec({code!r}, {{'keras': sys.modules['keras']}})\n"
        "    return module\n"
        "builtins.__import__ = importing\n"
    )
    script = folder / "python"
    script.write_text(f'#!/bin/sh\nPYTHONPATH="{folder}" exec "{python}" "$@"\n')
    script.chmod(0o755)
    return str(script)
