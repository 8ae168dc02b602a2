"""Guides to the tables of an audit, in Markdown."""

from __future__ import annotations

from .sfrc import LIMIT, SIDE, THRESHOLD

LESION_CONTRAST = 0.2
"""Contrast of the lesions of an audit, as a fraction of the intensity range."""

LEGEND = f"""\
How to read it: slices are degraded, every method restores them, and the results are compared with
the reference in patches of {SIDE} input pixels. The first two methods are baselines: they use no
learning and cannot hallucinate.

- **Unfaithful patches** show another structure than the reference, at frequencies that the input
  contains: their Fourier ring correlation (FRC) falls below {THRESHOLD:g} before {LIMIT:g} of the
  input's Nyquist frequency. A model with more of them than bicubic interpolation contradicts
  acquired data: see `audit.png` and `maps/`.
- **FRC crossing**: the mean frequency where that correlation falls below {THRESHOLD:g}, as part of
  the Nyquist frequency of the reference. Higher means more faithful detail.
- **Hallucinated detail**: energy beyond the input's resolution without a counterpart in the
  reference, in percent of the detail of the reference or of the result, whichever is larger. Of
  two methods with the same FRC crossing, prefer the one with less.
- **Data inconsistency**: the RMSE of the degraded output against the input.
- **Synthetic lesions**: bright and dark discs of 2 to 5 input pixels, with a contrast of
  {LESION_CONTRAST:.0%} of the intensity range, added to the input. *Lost*: less than a quarter of
  the contrast remains at the input's resolution; *weakened*: less than three quarters;
  *exaggerated*: more than one and a quarter."""

BETWEEN_SLICES_LEGEND = f"""\
How to read it: the reference is degraded to thick slices, every method restores it, and reformats,
which contain the slice direction, are compared in patches of {SIDE} slices. Interpolations come
first: they use no learning and cannot hallucinate. Only frequencies along the slice direction
count, since those within the slices are acquired.

- **Unfaithful patches** show another structure than the reference, at frequencies that the thick
  slices contain: the correlation falls below {THRESHOLD:g} before {LIMIT:g} of their Nyquist
  frequency. The limits were calibrated in-plane: compare a model with the interpolations.
- **FRC crossing**: the mean frequency where that correlation falls below {THRESHOLD:g}, as part of
  the Nyquist frequency of the reference. Higher means more faithful detail.
- **Hallucinated detail**: energy beyond the resolution of the thick slices without a counterpart in
  the reference, in percent of the detail of the reference or of the result, whichever is larger.
- **Data inconsistency**: the RMSE of the output, averaged to thick slices, against the input.
- **Synthetic lesions**: bright and dark spheres with a diameter of 1 to 3 slice thicknesses and a
  contrast of {LESION_CONTRAST:.0%} of the intensity range, at any place between slices, added to
  the reference before it is degraded. *Lost*: less than a quarter of the contrast that the thick
  slices show remains at their resolution; *weakened*: less than three quarters; *exaggerated*: more
  than one and a quarter. What partial volume takes before, no method can return."""
