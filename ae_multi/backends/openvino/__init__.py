"""Export to OpenVINO, which writes and runs the files; inference is in `forward_only`."""
