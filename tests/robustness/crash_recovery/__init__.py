"""Kill -9 at random moments of a training, go on, and see that nothing is lost but time."""
