"""Whole architectures of tf_keras.applications, without trained weights.

Each is made once a session and only filled anew, since making one takes
seconds: tests ask for `application(NAME)`.
"""
import tf_keras as keras

# A small input, few classes and narrow layers where the architecture allows:
# what is tested is hundreds of layers and their names, not megabytes.
APPLICATIONS = {
    "mobilenet_v2": lambda: keras.applications.MobileNetV2(
        input_shape=(32, 32, 3), alpha=0.35, weights=None, classes=10),
    "resnet50": lambda: keras.applications.ResNet50(
        input_shape=(32, 32, 3), weights=None, classes=10),
    "efficientnet_b0": lambda: keras.applications.EfficientNetB0(
        input_shape=(32, 32, 3), weights=None, classes=10),
    "densenet121": lambda: keras.applications.DenseNet121(
        input_shape=(32, 32, 3), weights=None, classes=10),
    "nasnet_mobile": lambda: keras.applications.NASNetMobile(
        input_shape=(32, 32, 3), weights=None, classes=10),
    "inception_v3": lambda: keras.applications.InceptionV3(
        input_shape=(75, 75, 3), weights=None, include_top=False),
}
