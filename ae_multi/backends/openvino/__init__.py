"""OpenVINO, which Keras can run a model forward on: here it only makes files."""
