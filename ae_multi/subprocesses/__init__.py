"""Run one job in a child process, with the interpreter of any environment."""
