"""From volume files to batches of training patches.

    sources, skipped = read_sources(["/data/study"])              sources.py: which files, and whose they are
    volumes, unsuitable = prepare(sources, settings.data, cache)  preparation.py: normalized slices, mapped from files in the folder `cache`
    split = split_subjects(volumes, share, seed)                  split.py: who is learnt from, who is held back
    sampler = PatchSampler(split.training(volumes), settings)     sampler.py, degradations.py
    low, high = sampler.batch(step, part, parts)                  float32, (n, 1, patch/scale, patch/scale) and (n, 1, patch, patch)
    pairs = SlicePairs(split.validating(volumes), settings)       sampler.py: whole slices, low, high = pairs[n]

skipped, unsuitable: [(path, sentence)]. volumes: [PreparedVolume].
"""
