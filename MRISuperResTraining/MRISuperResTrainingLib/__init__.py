"""Training and evaluation of the models that MRISuperRes uses."""
