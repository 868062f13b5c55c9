"""Interpreters that patch Keras before a job starts."""

import shlex


def patched_interpreter(python, folder, code):
    """Write a script that runs ``python`` and, once a worker has imported Keras, ``code``.

    Args:
        python: the interpreter.
        folder: new folder for the script and the patch.
        code: Python code that may use the name ``keras``.

    Returns:
        The path of the script.
    """
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(
        "import builtins, importlib, sys\n"
        "done = []\n"
        "def watched(real):\n"
        "    def importing(name, *args, **kwargs):\n"
        "        module = real(name, *args, **kwargs)\n"
        "        if done or not name.startswith(('ae_multi.parity.', 'ae_multi.compare.')):\n"
        "            return module\n"
        "        if sys._getframe(1).f_globals.get('__name__') == '__main__':\n"
        "            done.append(1)\n"
        f"            exec({code!r}, {{'keras': sys.modules['keras']}})\n"
        "        return module\n"
        "    return importing\n"
        "builtins.__import__ = watched(builtins.__import__)\n"
        "importlib.import_module = watched(importlib.import_module)\n"
    )
    script = folder / "python"
    path, python = shlex.quote(str(folder)), shlex.quote(str(python))
    script.write_text(
        f'#!/bin/sh\nPYTHONPATH={path}${{PYTHONPATH:+:$PYTHONPATH}} exec {python} "$@"\n'
    )
    script.chmod(0o755)
    return str(script)
