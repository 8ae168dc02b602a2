"""What the methods invent, lose and contradict: volumes are degraded, rebuilt and held against the truth."""
