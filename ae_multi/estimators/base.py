"""What all estimators have in common: parameters and training."""

from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from ae_multi._keras import keras
from ae_multi.data.checks import check_array
from ae_multi.environment import estimator_provenance
from ae_multi.errors import InputError
from ae_multi.estimators.chunks import Chunks, parts_of, reiterable
from ae_multi.estimators.fitting import epochs_for, learning_rates, train_chunks, train_whole
from ae_multi.estimators.inputs import take
from ae_multi.estimators.networks import build
from ae_multi.estimators.parameters import (
    check_no_checkpoint,
    check_parameters,
    seed_of,
    with_plain_parameters,
)
from ae_multi.estimators.persistence import PersistenceMixin
from ae_multi.estimators.scaling import Scaling, scale, unscale
from ae_multi.models.base import predict_float32


class NetworkEstimator(PersistenceMixin, BaseEstimator):
    r"""A network behind scikit-learn's face; the backend is what ``KERAS_BACKEND`` says.

    X may be an array or data frame of shape (n, features), images of shape (n, height, width) or
    (n, height, width, channels), or rows of pixels with ``image_shape``. Channels come last,
    whatever `keras.config.image_data_format` says.

    Samples and codes that are returned are float32, under Keras's half-precision policies too;
    they are float64 where X has values too large or too small for float32. Parameters may be
    NumPy's numbers and arrays.

    Args:
        model: "simple", "deep", "conv", "denoising", "sparse", "contractive", "variational",
            "vector_quantized", or an uncompiled Keras model from inputs to reconstructions with
            ``encoder`` and ``decoder``, such as `Autoencoder`. `fit` trains a copy and begins
            with the weights that the model has.
        latent_dim: size of the code, or "auto": a quarter of the values, from 1 to 16.
        hidden: sizes of the layers between input and code (filters, for "conv"), or "auto".
        activation: Keras's name of those layers' activation, or "auto": the model's own, which is
            "relu". "simple" and "conv" take no other, and a caller's model keeps what it has.
        image_shape: shape of the image that a row of X holds, or None.
        scale: "minmax" brings what `fit` is given to [0, 1], "standard" to mean 0 and standard
            deviation 1, for each feature of a table and for all pixels of images together; None
            takes X as it is, which for models by name has to be within [0, 1]. A constant
            feature becomes 0, and is reconstructed as that constant.
        loss: Keras's name of the loss.
        epochs: how often all samples are trained on, or "auto": for about 2,500 steps, at least
            10 and at most 1,000 epochs.
        batch_size: samples in a step.
        learning_rate: of Adam, in the first epoch.
        schedule: "cosine" lets the learning rate fall to nearly 0 by the last epoch, along half a
            cosine; None keeps it. `partial_fit`, which knows no last epoch, keeps it, too.
        early_stopping: whether to keep samples aside, to end when their loss has not become
            smaller for ``patience`` epochs, and to put the best weights back.
        validation_fraction: the share of samples to keep aside.
        patience: epochs, as above.
        random_state: integer that fixes weights, order, noise and what is kept aside, the same
            on every backend; a `numpy.random.RandomState` or None draws one.
        checkpoint: folder for checkpoints, or None. A `fit` that was killed goes on where it
            stopped when it is called again with the same parameters and data, and ends as it
            would have; one that had ended gives its result without training. Fits that differ, as
            those of a grid search do, share the folder, each in a folder of its own in it; what
            is no longer needed there is the caller's to remove.
        checkpoint_every: from one to the next: "1 epoch", "500 steps", "5 minutes".
        verbose: whether to show progress.

    Attributes:
        network\_: the trained Keras model.
        loss_curve\_: mean training loss of each epoch.
        validation_loss_curve\_: loss on what was kept aside after each epoch, or None.
        n_iter\_: number of epochs trained.
        n_features_in\_, feature_names_in\_: as everywhere in scikit-learn; an image has as many
            features as values.
        sample_shape\_: shape of one sample, as the network takes it.
        input_offset\_, input_span\_: what scaling learned; None without scaling.
        seed\_: the integer behind ``random_state``.
        provenance\_: what trained it: versions, backend, device, date.
    """

    def __init__(
        self,
        model="deep",
        *,
        latent_dim="auto",
        hidden="auto",
        activation="auto",
        image_shape=None,
        scale="minmax",
        loss="mse",
        epochs="auto",
        batch_size=128,
        learning_rate=1e-3,
        schedule="cosine",
        early_stopping=False,
        validation_fraction=0.1,
        patience=10,
        random_state=0,
        checkpoint=None,
        checkpoint_every="1 epoch",
        verbose=0,
    ):
        self.model = model
        self.latent_dim = latent_dim
        self.hidden = hidden
        self.activation = activation
        self.image_shape = image_shape
        self.scale = scale
        self.loss = loss
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.random_state = random_state
        self.checkpoint = checkpoint
        self.checkpoint_every = checkpoint_every
        self.verbose = verbose

    @with_plain_parameters
    def fit(self, X, y=None):  # noqa: N803
        """Learn from the samples X; ``y`` is there for scikit-learn's sake and not looked at.

        Raises:
            ValueError: what scikit-learn refuses: NaN, text, a single sample.
            InputError: parameters or shapes that cannot be meant.
            DivergenceError: a loss that is no number.
        """
        self._check_parameters()
        taken = self._take(X, y, reset=True)
        return self._fit([taken], whole=True)

    @with_plain_parameters
    def fit_chunks(self, chunks):
        """Learn from data larger than memory, as `fit` does from one array.

        They are gone through once for scaling, then once for each epoch, twice with early
        stopping; batches do not reach over the end of a chunk, and samples are put in a new order
        within their chunk.

        Args:
            chunks: a list, an object with ``__iter__``, or a function without arguments that
                returns an iterator; of arrays X, or of tuples (X, y).
        """
        self._check_parameters()
        check_no_checkpoint(self, "fit_chunks")
        passes = reiterable(chunks)

        def taken():
            for number, chunk in enumerate(passes):
                yield self._take(*parts_of(chunk), reset=number == 0)

        return self._fit(Chunks(taken), whole=False)

    @with_plain_parameters
    def partial_fit(self, X, y=None, **known):  # noqa: N803
        """Train for one epoch on X; the first call learns the scaling, which later calls keep."""
        check_no_checkpoint(self, "partial_fit")
        begun = hasattr(self, "network_")
        if not begun:
            self._check_parameters()
        taken = self._take(X, y, reset=not begun)
        if not begun:
            self._begin([taken], **known)
        rate = learning_rates(self, None)
        self._train([taken], self.n_iter_ + 1, rate, whole=False)
        self._finish([taken])
        return self

    def __sklearn_is_fitted__(self):
        return bool(getattr(self, "loss_curve_", ()))

    def _check_parameters(self):
        check_parameters(self)

    def _take(self, x, y, reset):
        """(samples, what belongs to them or None), checked, in the caller's units."""
        return take(self, x, reset), None

    def _fit(self, chunks, whole):
        self._begin(chunks)
        epochs = epochs_for(self.epochs, self.n_samples_seen_, self.batch_size, self._fewest_epochs)
        self._train(chunks, epochs, learning_rates(self, epochs), whole)
        self._finish(chunks)
        return self

    def _begin(self, chunks):
        """Learn what has to be known before training, and build the network."""
        self.seed_ = seed_of(self.random_state)
        scaling, self.n_samples_seen_ = None, 0
        for x, y in chunks:
            if scaling is None:
                scaling = Scaling(self.scale, each=len(self.sample_shape_) == 1)
            self._learn(scaling, x, y)
            self.n_samples_seen_ += len(x)
        if scaling is None:
            raise InputError("Expected at least one chunk. Received: none.")
        self.input_offset_, self.input_span_ = scaling.learned()
        self.network_ = self._build()
        self._compile()
        self.loss_curve_, self.n_iter_ = [], 0
        self.validation_loss_curve_ = [] if self.early_stopping else None
        self.provenance_ = estimator_provenance()

    def _learn(self, scaling, x, y):
        scaling.update(x)

    def _build(self):
        return build(
            self._kind(),
            self.sample_shape_,
            self._latent_dim(),
            self._hidden(),
            self._activation(),
            self.seed_,
            self._bounded(),
        )

    # What "auto" means, for classes to say otherwise.

    _fewest_epochs = 10

    def _kind(self):
        return self.model

    def _latent_dim(self):
        if self.latent_dim == "auto":
            return min(max(self.n_features_in_ // 4, 1), 16)
        return self.latent_dim

    def _hidden(self):
        return self.hidden

    def _activation(self):
        return self.activation

    def _loss(self):
        return self.loss

    def _bounded(self):
        """Whether scaled values are within [0, 1]."""
        return self.scale != "standard"

    def _compile(self):
        optimizer = keras.optimizers.Adam(self.learning_rate)
        self.network_.compile(optimizer=optimizer, loss=self._loss())

    def _train(self, chunks, epochs, rate, whole):
        """Train up to ``epochs``, at ``rate`` of each, and note the losses."""

        def prepared():
            return (self._prepared(x, y) for x, y in chunks)

        if whole:
            losses, aside = train_whole(self, *next(prepared()), epochs, rate)
        else:
            losses, aside = train_chunks(self, Chunks(prepared), epochs, rate, begin=self.n_iter_)
        self.loss_curve_ = self.loss_curve_ + losses
        self.n_iter_ += len(losses)
        if aside is not None:
            self.validation_loss_curve_ = (self.validation_loss_curve_ or []) + aside

    def _prepared(self, x, y):
        """(inputs, targets) as the network takes them."""
        inputs = self._scaled(x)
        return inputs, inputs

    def _finish(self, chunks):
        """What is left to do after training."""

    def _scaled(self, x):
        """Samples as the network takes them, or an `InputError` where they are out of its range."""
        if self.scale is None:
            return check_array(x, "X", value_range=getattr(self.network_, "value_range", None))
        return scale(x, self.input_offset_, self.input_span_)

    def _unscaled(self, x):
        return unscale(x, self.input_offset_, self.input_span_)

    def _checked(self, x):
        """Samples for a fitted estimator, scaled."""
        check_is_fitted(self)
        return self._scaled(take(self, x, reset=False))

    def _outputs(self, scaled):
        return predict_float32(self.network_, scaled)
