"""Methods of upsampling slices: interpolations, networks and their blends."""
