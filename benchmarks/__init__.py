"""Benchmarks of speed and quality.

Speed is compared with hand-written training loops, Keras's `fit` and other libraries; quality is
compared with standard baselines.

    throughput         training, encoding and reconstructing, samples per second; ``nox -s bench``
    steps              time of one training step, for each plan; ``nox -s steps``
    fit_time           time of the complete call of `fit`; ``nox -s fit_time``
    precision          TF32 and bfloat16 compared with float32; ``nox -s precision``
    scaling            training against batch size, width, samples, threads; ``nox -s scaling``
    data_scaling       cost of a sample against the number of samples
    checkpoints        cost of checkpoints; ``nox -s checkpoints``
    gpu                parity, steps and throughput on a GPU; ``python -m benchmarks.gpu``
    contenders         the trainings that are timed, and the check that their losses are equal
    cold_start         imports, first epochs, memory
    limits             upper bounds from the arithmetic and the memory bandwidth of the machine
    networks           the networks that are timed, and their data
    native/            a hand-written training loop for each framework
    peers/, peer       autoencoders of other libraries
    quality            the tasks with their defaults, over seeds and backends; ``nox -s quality``
    quality_targets    the measures of `quality`, and the required and target values
    odds               outliers in eight tables, compared with PCA and nearest neighbors
    ablations          selection of defaults on training data; ``nox -s choices``
    ablation           one trial of `ablations`; its settings are in ablation_settings
    score              selection of the detector's score, a part of `ablations`
    splits             splits of the training data for `ablations`
    exports, exported  every export format from every backend; ``nox -s exports``
    figures            figures of `throughput` and `scaling`
    documents          writes recorded results into the tables of the documents
    mnist_sample       writes the bundled sample of MNIST
    command            options and functions that the commands share
    processes          runs one measurement in a separate process
    results/           recorded results

A parent process without a framework starts one process after another, so that nothing else runs
while something is timed.
"""
