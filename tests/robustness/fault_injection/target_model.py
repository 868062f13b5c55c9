"""Model in which faults are injected, with layers of many kinds."""


def build():
    """Return a compiled autoencoder of 16×16 images."""
    import keras

    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((16, 16, 1)),
            layers.Conv2D(4, 3, strides=2, padding="same", activation="relu", name="convolution"),
            layers.BatchNormalization(name="normalisation"),
            layers.Flatten(name="flat"),
            layers.Dense(24, activation="relu", name="hidden"),
            layers.Dropout(0.2, name="dropout"),
            layers.Dense(24, name="square"),
            layers.Dense(256, activation="sigmoid", name="pixels"),
            layers.Reshape((16, 16, 1), name="image"),
        ]
    )
    model.compile(optimizer=keras.optimizers.Adam(1e-3), loss="mse")
    return model
