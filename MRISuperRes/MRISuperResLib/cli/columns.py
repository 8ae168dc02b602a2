"""Tables of text that fit a terminal."""

WIDTH = 100
"""Characters in a line that goes to a file or a pipe."""

GAP = "  "


def columns(rows, width=WIDTH):
    """Lines with the cells of rows (lists of texts, all of the same length) in aligned columns.

    Columns that do not fit into a line of `width` characters follow below, with the first one repeated.
    """
    sizes = [max(map(len, column)) for column in zip(*rows)]
    lines = []
    start = 1
    while start < len(sizes):
        end, used = start, sizes[0]
        while end < len(sizes) and (end == start or used + len(GAP) + sizes[end] <= width):
            used += len(GAP) + sizes[end]
            end += 1
        taken = [0, *range(start, end)]
        lines += [GAP.join(row[n].ljust(sizes[n]) for n in taken).rstrip() for row in rows]
        start = end
    return lines
