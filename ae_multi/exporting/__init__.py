"""Export of models to formats of other runtimes. Each file is verified against the model.

export           export of a model to a file
formats          the formats, the backend that writes each, and its requirements
graph            a model as one graph of named inputs and outputs
current_backend  writing and running a file with the backend of this process
other_backend    writing and running a file with another backend, in its own process
samples          samples on which a file is verified
check            comparison of a file's outputs with the model's
"""
