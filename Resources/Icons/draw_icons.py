"""Draw the icons of both modules: python Resources/Icons/draw_icons.py

A head, coarse on the left and fine on the right; for the training module with a falling loss curve.
Few large shapes, so that the icons are legible at 24 pixels.
"""

import os
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QGuiApplication, QImage, QPainter, QPainterPath, QPen

PROJECT = Path(__file__).resolve().parents[2]
SIZE = 128
BACKGROUND, LIGHT, GRAY, DARK, ACCENT = (
    QColor(name) for name in ("#14213d", "#f4f6fa", "#9aa7bd", "#4a5a7a", "#fca311")
)


def canvas():
    image = QImage(SIZE, SIZE, QImage.Format_ARGB32)
    image.fill(Qt.transparent)
    painter = QPainter(image)
    painter.setRenderHint(QPainter.Antialiasing)
    painter.setPen(Qt.NoPen)
    painter.setBrush(BACKGROUND)
    painter.drawRoundedRect(QRectF(0, 0, SIZE, SIZE), 22, 22)
    return image, painter


def shade(x, y):
    """Return the color of the head at a point in units of its radius; None outside."""
    if x * x + y * y > 1:
        return None
    if (x * x) / 0.055 + (y * y) / 0.16 < 1:  # the ventricles
        return DARK
    return LIGHT if x * x + y * y > 0.68 else GRAY


def draw_head(painter, x, y, radius, blocks):
    """Draw a head: left half in squares, `blocks` of them per radius; right half smooth."""
    side = radius / blocks
    painter.setPen(Qt.NoPen)
    painter.setRenderHint(QPainter.Antialiasing, False)
    for row in range(-blocks, blocks):
        for column in range(-blocks, 0):
            color = shade((column + 0.5) / blocks, (row + 0.5) / blocks)
            if color:
                painter.setBrush(color)
                painter.drawRect(QRectF(x + column * side, y + row * side, side, side))
    painter.setRenderHint(QPainter.Antialiasing)
    painter.save()
    painter.setClipRect(QRectF(x, y - radius, radius, 2 * radius))
    for color, width, height in ((LIGHT, 1, 1), (GRAY, 0.82, 0.82), (DARK, 0.235, 0.4)):
        painter.setBrush(color)
        painter.drawEllipse(QPointF(x, y), radius * width, radius * height)
    painter.restore()


def draw_super_resolution():
    image, painter = canvas()
    draw_head(painter, 64, 64, 52, 4)
    painter.fillRect(QRectF(61, 6, 6, 116), ACCENT)
    painter.end()
    return image


def draw_training():
    image, painter = canvas()
    draw_head(painter, 86, 44, 32, 4)
    painter.setBrush(Qt.NoBrush)
    painter.setPen(QPen(LIGHT, 8, Qt.SolidLine, Qt.RoundCap, Qt.RoundJoin))
    painter.drawPolyline([QPointF(18, 16), QPointF(18, 110), QPointF(112, 110)])
    curve = QPainterPath(QPointF(32, 34))
    curve.cubicTo(QPointF(38, 80), QPointF(60, 92), QPointF(110, 94))
    painter.setPen(QPen(ACCENT, 10, Qt.SolidLine, Qt.RoundCap))
    painter.drawPath(curve)
    painter.end()
    return image


if __name__ == "__main__":
    application = QGuiApplication([])
    for module, draw in (
        ("MRISuperRes", draw_super_resolution),
        ("MRISuperResTraining", draw_training),
    ):
        draw().save(str(PROJECT / module / "Resources" / "Icons" / f"{module}.png"))
