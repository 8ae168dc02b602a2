"""Networks that judge a generator: discriminators, VGG, perceptual distances."""
