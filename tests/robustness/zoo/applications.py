"""Families of `keras.applications`, untrained, with fewer blocks and small images."""

import importlib

import keras

CLASSES = 10
_SETTINGS = {"weights": None, "classes": CLASSES}
_SCORES = {**_SETTINGS, "classifier_activation": None}


def _source(name):
    # The public functions have a fixed number of blocks.
    return importlib.import_module(f"keras.src.applications.{name}")


def _compiled(model, optimizer="adam"):
    model.compile(keras.optimizers.get(optimizer), "sparse_categorical_crossentropy")
    return model


def _from_scores(model):
    """Compile a model that returns logits.

    With softmax some probabilities would be below 1e-7, whose cross-entropy differs on TensorFlow;
    see docs/differences.md.
    """
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def _resnet(preact, use_bias, stack):
    resnet = _source("resnet")

    def blocks(x):
        for filters, count, stride in ((16, 2, 1), (32, 2, 2)):
            x = getattr(resnet, stack)(x, filters, count, stride1=stride, name=f"conv{filters}")
        return x

    shape = {"input_shape": (32, 32, 3)}
    return _compiled(resnet.ResNet(blocks, preact, use_bias, **shape, **_SETTINGS))


def resnet():
    """ResNet (He et al., 2015) of four blocks."""
    return _resnet(False, True, "stack_residual_blocks_v1")


def resnet_v2():
    """ResNetV2 (He et al., 2016) of four blocks."""
    return _resnet(True, True, "stack_residual_blocks_v2")


def resnet50_v2():
    """ResNet50V2 unchanged, for images of 64×64 pixels."""
    return _compiled(keras.applications.ResNet50V2(input_shape=(64, 64, 3), **_SETTINGS))


def densenet():
    """DenseNet (Huang et al., 2016) of four times two blocks."""
    build = _source("densenet").DenseNet
    return _compiled(build([2, 2, 2, 2], input_shape=(32, 32, 3), **_SETTINGS))


def mobilenet():
    """MobileNet (Howard et al., 2017), a quarter as wide."""
    return _compiled(keras.applications.MobileNet(input_shape=(32, 32, 3), alpha=0.25, **_SETTINGS))


def mobilenet_v2():
    """MobileNetV2 (Sandler et al., 2018) unchanged."""
    return _compiled(keras.applications.MobileNetV2(input_shape=(32, 32, 3), **_SETTINGS))


def mobilenet_v2_narrow():
    """MobileNetV2, a third as wide."""
    return _compiled(
        keras.applications.MobileNetV2(input_shape=(32, 32, 3), alpha=0.35, **_SETTINGS)
    )


def mobilenet_v3_small():
    """MobileNetV3 (Howard et al., 2019), small and minimalistic."""
    return _compiled(
        keras.applications.MobileNetV3Small(
            input_shape=(32, 32, 3), alpha=0.75, minimalistic=True, **_SETTINGS
        )
    )


def mobilenet_v3_squeezed():
    """MobileNetV3, small, with squeeze-and-excitation and hard swish."""
    return _compiled(
        keras.applications.MobileNetV3Small(input_shape=(32, 32, 3), alpha=0.75, **_SETTINGS)
    )


def efficientnet_b0():
    """EfficientNetB0 (Tan & Le, 2019) unchanged."""
    return _compiled(keras.applications.EfficientNetB0(input_shape=(32, 32, 3), **_SETTINGS))


def efficientnet_narrow():
    """EfficientNet, narrower and shallower than B0."""
    build = _source("efficientnet").EfficientNet
    return _from_scores(build(0.25, 0.3, 32, input_shape=(32, 32, 3), **_SCORES))


def efficientnet_v2():
    """EfficientNetV2 (Tan & Le, 2021), narrower and shallower than B0."""
    build = _source("efficientnet_v2").EfficientNetV2
    name = "efficientnetv2-b0"  # names the blocks
    return _from_scores(build(0.25, 0.3, 32, name=name, input_shape=(32, 32, 3), **_SCORES))


def nasnet():
    """NASNet (Zoph et al., 2017) with one block per stage."""
    build = _source("nasnet").NASNet
    return _compiled(
        build(
            input_shape=(32, 32, 3),
            penultimate_filters=96,
            num_blocks=1,
            stem_block_filters=8,
            skip_reduction=False,
            filter_multiplier=2,
            **_SETTINGS,
        )
    )


def inception_v3():
    """InceptionV3 (Szegedy et al., 2015) up to its first three mixed blocks."""
    model = keras.applications.InceptionV3(include_top=False, weights=None, input_shape=(75, 75, 3))
    return _compiled(_with_head(model, "mixed2"))


def inception_resnet_v2():
    """InceptionResNetV2 (Szegedy et al., 2016) up to its second residual block."""
    model = keras.applications.InceptionResNetV2(
        include_top=False, weights=None, input_shape=(75, 75, 3)
    )
    return _compiled(_with_head(model, "block35_2_ac"))


def xception():
    """Xception (Chollet, 2016) up to its fourth block."""
    model = keras.applications.Xception(include_top=False, weights=None, input_shape=(71, 71, 3))
    return _compiled(_with_head(model, "block4_pool"))


def vgg():
    """VGG16 (Simonyan & Zisserman, 2014) up to its third block."""
    model = keras.applications.VGG16(include_top=False, weights=None, input_shape=(32, 32, 3))
    return _compiled(_with_head(model, "block3_pool"))


def convnext():
    """ConvNeXt (Liu et al., 2022) of five narrow blocks."""
    build = _source("convnext").ConvNeXt
    return _compiled(build([1, 1, 2, 1], [16, 32, 48, 64], input_shape=(32, 32, 3), **_SETTINGS))


def _with_head(model, last):
    """Return the model up to the layer ``last``, with global average pooling and a classifier."""
    x = keras.layers.GlobalAveragePooling2D()(model.get_layer(last).output)
    outputs = keras.layers.Dense(CLASSES, activation="softmax")(x)
    return keras.Model(model.input, outputs)
