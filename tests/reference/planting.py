"""Interpreters that carry a fault, which is put in place before the work begins."""


def altered(python, folder, code):
    """A script that runs ``python``, and ``code`` once a child has imported all that it needs.

    Args:
        python: the interpreter.
        folder: a folder to make, for the script and what it needs.
        code: Python in which ``keras`` is at hand.
    """
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(
        "import importlib, sys\n"
        "real, done = importlib.import_module, []\n"
        "def importing(name, package=None):\n"
        "    module = real(name, package)\n"
        "    if not done and name.startswith('ae_multi.parity.'):\n"
        "        done.append(1)\n"
        f"        exec({code!r}, {{'keras': sys.modules['keras']}})\n"
        "    return module\n"
        "importlib.import_module = importing\n"
    )
    script = folder / "python"
    script.write_text(f'#!/bin/sh\nPYTHONPATH="{folder}" exec "{python}" "$@"\n')
    script.chmod(0o755)
    return str(script)
