"""MRISuperRes: super-resolution of MRI volumes with the two-stage ESRGAN method."""

__version__ = "0.1.0"
