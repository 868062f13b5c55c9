"""Tasks: what autoencoders are for, each measured beside the floor that it has to beat."""
