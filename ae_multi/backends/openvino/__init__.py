"""OpenVINO, here used only to write files."""
