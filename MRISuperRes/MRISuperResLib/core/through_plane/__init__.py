"""Through-plane super-resolution: thick slices to any spacing along the slice direction."""
