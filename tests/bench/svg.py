"""Curves over two logarithmic axes, as SVG."""
import math
from html import escape

WIDTH, HEIGHT = 720, 380
LEFT, RIGHT, TOP, BOTTOM = 70, 210, 40, 50
COLOURS = ("#1b6ca8", "#d1495b", "#2e933c", "#8e5ea2", "#e08e0b", "#444444",
           "#11999e", "#a05195")


def decades(values):
    """The powers of ten around them, at least two."""
    low = math.floor(math.log10(min(values)))
    high = math.ceil(math.log10(max(values)))
    return low, max(high, low + 1)


class Axis:
    def __init__(self, values, start, end):
        self.low, self.high = decades(values)
        self.start, self.end = start, end

    def place(self, value):
        share = (math.log10(value) - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    def ticks(self):
        return [10.0 ** k for k in range(self.low, self.high + 1)]


def number(value):
    return f"{value:,.0f}" if value >= 1 else f"{value:g}"


def text(x, y, words, anchor="middle", more=""):
    return (f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}" {more}>'
            f"{escape(words)}</text>")


def grid(across, up):
    for value in across.ticks():
        x = across.place(value)
        yield f'<path d="M{x:.0f} {TOP}V{HEIGHT - BOTTOM}" class="grid"/>'
        yield text(x, HEIGHT - BOTTOM + 16, number(value))
    for value in up.ticks():
        y = up.place(value)
        yield f'<path d="M{LEFT} {y:.0f}H{WIDTH - RIGHT}" class="grid"/>'
        yield text(LEFT - 6, y + 4, number(value), "end")


def curve(points, across, up, colour):
    places = [(across.place(x), up.place(y)) for x, y in points]
    yield (f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="'
           + " ".join(f"{x:.1f},{y:.1f}" for x, y in places) + '"/>')
    for x, y in places:
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>'


def plot(title, x_label, y_label, series):
    """`series`: {name: [(x, y), ...]}; what isn't over 0 is left out."""
    series = {name: [(x, y) for x, y in points if x > 0 and y > 0]
              for name, points in series.items()}
    series = {name: points for name, points in series.items() if points}
    points = [point for some in series.values() for point in some]
    if not points:
        return None
    across = Axis([x for x, _ in points], LEFT, WIDTH - RIGHT)
    up = Axis([y for _, y in points], HEIGHT - BOTTOM, TOP)
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" '
             f'height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}" '
             'font-family="sans-serif" font-size="12">',
             "<style>.grid{stroke:#ddd;fill:none}</style>",
             f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
             text(LEFT, 22, title, "start", 'font-weight="bold"'),
             text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12, x_label),
             text(16, (TOP + HEIGHT - BOTTOM) / 2, y_label, more='transform='
                  f'"rotate(-90 16 {(TOP + HEIGHT - BOTTOM) / 2:.0f})"')]
    lines += grid(across, up)
    for i, (name, some) in enumerate(series.items()):
        colour, y = COLOURS[i % len(COLOURS)], TOP + 18 * i
        lines += curve(sorted(some), across, up, colour)
        lines.append(f'<rect x="{WIDTH - RIGHT + 14}" y="{y}" width="12" '
                     f'height="4" fill="{colour}"/>')
        lines.append(text(WIDTH - RIGHT + 32, y + 6, name, "start"))
    return "\n".join(lines) + "\n</svg>\n"
