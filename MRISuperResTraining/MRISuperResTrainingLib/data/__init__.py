"""From volume files to batches of training patches: sources, preparation, split, sampler."""
