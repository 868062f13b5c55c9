"""Applications of autoencoders, each compared with standard baselines."""
