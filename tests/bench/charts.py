"""Charts as SVG: lines over sizes, both axes logarithmic, and bars of shares."""
import math
from xml.sax.saxutils import escape

INK, SOFT, GRID = "#1f2328", "#59636e", "#d9dee3"
COLOURS = ("#0b6bcb", "#b35900", "#6639ba", "#8c959f", "#1a7f37", "#bf3989", "#57606a")
FONT = "font-family='system-ui, -apple-system, Segoe UI, sans-serif'"


class Drawing:
    def __init__(self, width, height, title, words):
        self.parts = [f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {height}' width='{width}' height='{height}' role='img' {FONT}>",
                      f"<title>{escape(title)}</title>",
                      f"<rect width='{width}' height='{height}' rx='8' fill='#ffffff'/>"]
        self.text(24, 34, title, size=16, weight=600)
        self.text(24, 54, words, colour=SOFT)

    def text(self, x, y, words, size=12, colour=INK, anchor="start", weight=400):
        self.parts.append(f"<text x='{x:.1f}' y='{y:.1f}' font-size='{size}' fill='{colour}' text-anchor='{anchor}' font-weight='{weight}'>{escape(words)}</text>")

    def line(self, x1, y1, x2, y2, colour=GRID, width=1.0, dash=""):
        style = f" stroke-dasharray='{dash}'" if dash else ""
        self.parts.append(f"<line x1='{x1:.1f}' y1='{y1:.1f}' x2='{x2:.1f}' y2='{y2:.1f}' stroke='{colour}' stroke-width='{width}'{style}/>")

    def path(self, points, colour):
        steps = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self.parts.append(f"<polyline points='{steps}' fill='none' stroke='{colour}' stroke-width='2' stroke-linejoin='round'/>")
        self.parts += [f"<circle cx='{x:.1f}' cy='{y:.1f}' r='3' fill='{colour}'/>" for x, y in points]

    def bar(self, x, y, width, height, colour):
        self.parts.append(f"<rect x='{x:.1f}' y='{y:.1f}' width='{max(width, 1):.1f}' height='{height:.1f}' rx='2' fill='{colour}'/>")

    def save(self, path):
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join([*self.parts, "</svg>"]) + "\n")


def apart(wanted, gap):
    """The places nearest to those wanted that are at least `gap` from each other, by index."""
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    places = [wanted[i] for i in order]
    for _ in range(200):
        for i in range(1, len(places)):
            short = gap - (places[i] - places[i - 1])
            if short > 0.01:
                places[i - 1] -= short / 2
                places[i] += short / 2
    return dict(zip(order, places))


def lines(path, title, words, sizes, series, unit):
    """`series` is a list of (name, one value per size or None)."""
    width, height, left, right, top, bottom = 860, 470, 74, 250, 78, 46
    drawing = Drawing(width, height, title, words)
    values = [value for _, row in series for value in row if value]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    first, last = math.log10(sizes[0]), math.log10(sizes[-1])

    def across(size):
        return left + (width - left - right) * (math.log10(size) - first) / max(last - first, 1e-9)

    def up(value):
        return height - bottom - (height - top - bottom) * (math.log10(value) - low) / (high - low)

    for power in range(low, high + 1):
        y = up(10**power)
        drawing.line(left, y, width - right, y)
        drawing.text(left - 8, y + 4, unit(10**power), colour=SOFT, anchor="end")
    for size in sizes:
        drawing.text(across(size), height - bottom + 20, f"{size:,}", colour=SOFT, anchor="middle")
    drawn = []
    for number, (name, row) in enumerate(series):
        points = [(across(size), up(value)) for size, value in zip(sizes, row) if value]
        if points:
            colour = COLOURS[number % len(COLOURS)]
            drawing.path(points, colour)
            drawn.append((points[-1], name, colour))
    places = apart([point[1] for point, _, _ in drawn], 17)
    for i, (point, name, colour) in enumerate(drawn):
        x = width - right + 14
        drawing.line(point[0] + 5, point[1], x - 3, places[i], colour, 0.8)
        drawing.text(x, places[i] + 4, name, colour=colour)
    drawing.save(path)


def bars(path, title, words, groups, names, mark=None):
    """`groups` is a list of (label, one share per name). A dashed line at 1, and one at `mark`."""
    left, right, top, thick, gap = 290, 60, 92, 11, 12
    width = 860
    height = top + sum(len(shares) * (thick + 2) + gap for _, shares in groups) + 20
    drawing = Drawing(width, height, title, words)
    x = 24
    for number, name in enumerate(names):
        drawing.bar(x, 66, 12, 12, COLOURS[number])
        drawing.text(x + 17, 76, name, colour=SOFT)
        x += 34 + 6.6 * len(name)
    highest = max(1.05, *(share for _, shares in groups for share in shares))
    scale = (width - left - right) / highest
    for place, dash in ((1, ""), (mark, "4 3")):
        if place:
            drawing.line(left + scale * place, top - 8, left + scale * place, height - 14, SOFT, 1, dash)
    y = top
    for label, shares in groups:
        drawing.text(left - 10, y + (thick + 2) * len(shares) / 2 + 3, label, anchor="end")
        for number, share in enumerate(shares):
            drawing.bar(left, y, scale * share, thick, COLOURS[number])
            drawing.text(left + scale * share + 5, y + thick - 1, f"{share:.2f}", size=10, colour=SOFT)
            y += thick + 2
        y += gap
    drawing.save(path)
