"""Models in formats that run elsewhere: made by whichever backend can, tried, and then left.

export     the way from a model to a file
formats    which there are, who makes each, and what is missing
graph      a model as one graph of named inputs and outputs
local      made and run by the backend that runs here
remote     made and run by another backend, in a process of its own
samples    what a file is tried on
check      whether it gives what the model gives
"""
