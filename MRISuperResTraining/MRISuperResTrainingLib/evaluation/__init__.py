"""How good models are on subjects that they have never seen: the thesis's tables, with intervals, as CSV, Markdown and pictures."""
