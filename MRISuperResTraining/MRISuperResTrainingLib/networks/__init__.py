"""The networks that judge a generator: discriminators, and VGG, whose features are compared."""
