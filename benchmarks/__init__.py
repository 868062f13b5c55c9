"""How fast the package is, and how good: beside loops by hand, Keras's own `fit`, peers and floors.

    throughput    samples per second in training, encoding and reconstructing; ``nox -s bench``
    scaling       training against batch size, width, samples and threads; ``nox -s scaling``
    checkpoints   what checkpoints cost a training; ``nox -s checkpoints``
    contenders    who is timed, and the check that all compute the same
    gpu           parity, steps and throughput in ten minutes of a GPU; ``python -m benchmarks.gpu``
    cold_start    the first second: imports, first epochs, memory
    limits        what the arithmetic and the memory of the machine allow
    native/       loops written by hand, one for each framework
    quality       the tasks with their defaults, over seeds and backends; ``nox -s quality``
    quality_targets  what is measured there, and the targets to reach
    odds          outliers in eight tables, beside PCA and nearest neighbors
    exports       every format from every backend, and how far off; ``nox -s exports``
    exported      what is exported there
    peers/        other libraries' autoencoders
    command       what the commands that measure have in common
    mnist_sample  writes the sample of MNIST that the package bundles
    results/      what was recorded

A parent without a framework starts one process after another, so that nothing is timed while
anything else runs.
"""
