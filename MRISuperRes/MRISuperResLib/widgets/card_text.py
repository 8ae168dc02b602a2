"""A model card as a text for a label, with tables."""

from html import escape

from slicer.i18n import tr as _

from ..core.models.card import AUDIT_LEGEND


def cardHtml(card):
    """The whole ModelCard, but for its summary, as HTML of the kind that Qt's labels show."""
    parts = [
        _paragraph(
            _("{name}, made for the {machine}; license: {license}").format(
                name=card.name,
                machine=card.made_for.upper(),
                license=card.license or _("not stated"),
            )
        )
    ]
    for heading, header, rows in card.figures():
        parts += [
            _paragraph(
                _("{measure}, on volumes of subjects that it has not learnt from:").format(
                    measure=heading
                )
            ),
            _figures(header, rows),
        ]
    for heading, header, rows in card.audited():
        parts += [_paragraph(f"{heading}:"), _figures(header, rows)]
    if card.audit:
        parts.append(_paragraph(AUDIT_LEGEND))
    training = card.training
    if training.get("data"):
        parts.append(
            _paragraph(
                _("Learnt in {steps} steps ({loss}; degradation: {degradation}) from:").format(
                    steps=training.get("steps", "?"),
                    loss=training.get("loss", "?"),
                    degradation=training.get("degradation", "?"),
                )
            )
        )
        parts.append(
            _list(
                ", ".join(
                    str(file[key])
                    for key in ("path", "contrast", "license", "source")
                    if file.get(key)
                )
                for file in training["data"]
            )
        )
    return "".join(parts)


def _figures(header, rows):
    """The model first, as the panel may be narrow."""
    return _table(
        ["", _("this model"), *header[1:-1]],
        [[first, model, *baselines] for first, *baselines, model in rows],
    )


def asPlainText(text):
    """For a tool tip, which would take what looks like HTML for it."""
    return "<p>" + escape(text).replace("\n", "<br>") + "</p>"


def _paragraph(text):
    return f"<p>{escape(text)}</p>"


def _list(texts):
    return (
        "<ul style='margin-left: 12px; -qt-list-indent: 0'>"
        + "".join(f"<li>{escape(text)}</li>" for text in texts)
        + "</ul>"
    )


def _table(header, rows):
    cells = ["".join(f"<th align='left'>{escape(cell)}</th>" for cell in header)]
    cells += ["".join(f"<td>{escape(cell)}</td>" for cell in row) for row in rows]
    return (
        "<table cellspacing='2' style='font-size: small'>"
        + "".join(f"<tr>{row}</tr>" for row in cells)
        + "</table>"
    )
