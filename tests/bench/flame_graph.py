"""Samples of `perf script` as a flame graph (SVG) and as a table of functions. Standard library only.

    samples = parse(text)               # [(frame, …), …]: outermost first, the first one the thread
    svg = render(samples, "title")
    rows = hottest(samples, 20)         # [(name, self share, total share), …]
"""

import collections
import html
import re
import zlib

WIDTH = 1600
ROW = 17
MARGIN = 10
CHARACTER = 6.6  # width of one at this font size
SMALLEST = 0.4   # what is narrower is not drawn

_HEAD = re.compile(r"^(?P<comm>\S.*?)\s+\d+(?:/\d+)?\s*$")
_FRAME = re.compile(r"^\s+[0-9a-f]+\s+(?P<symbol>.+?)(?:\+0x[0-9a-f]+)?\s+\((?P<dso>[^()]*)\)\s*$")


def short(symbol):
    """A C++ name without parameters, template arguments and our own namespace."""
    symbol = symbol.replace("(anonymous namespace)", "{anonymous}")
    out, depth = [], 0
    i = 0
    while i < len(symbol):
        if symbol.startswith("operator", i):
            match = re.match(r"operator(?:\(\)|<<|>>|<=>|->|<=|>=|<|>)?", symbol[i:])
            if depth == 0:
                out.append(match.group())
            i += match.end()
            continue
        character = symbol[i]
        if character in "<(":
            if depth == 0 and character == "(":
                break
            if depth == 0:
                out.append("<>")
            depth += 1
        elif character in ">)":
            depth -= 1
        elif depth == 0:
            out.append(character)
        i += 1
    name = "".join(out).strip()
    name = name.replace("taskpipe::", "").replace("{anonymous}::", "")
    # The result type of an instantiated template stands before its name.
    return name.rpartition(" ")[2] if "operator" not in name and name.strip() else name


def parse(text):
    """Of `perf script -F comm,tid,ip,sym,dso`: one block of lines per sample."""
    samples, comm, frames = [], None, []
    for line in [*text.splitlines(), ""]:
        if not line.strip():
            if comm is not None:
                samples.append((comm, *reversed(frames)))
            comm, frames = None, []
        elif comm is None:
            head = _HEAD.match(line)
            comm = head["comm"] if head else line.strip()
        elif frame := _FRAME.match(line):
            symbol, dso = frame["symbol"], frame["dso"].rpartition("/")[2]
            # Of a library without symbols the name is all there is.
            frames.append(f"[{dso}]" if symbol == "[unknown]" else short(symbol))
    return [_without_repeats(sample) for sample in samples]


def _without_repeats(sample):
    """Neighbours without a name of their own are one: "[libzmq.so.5]" ten times says nothing."""
    kept = [sample[0]]
    for frame in sample[1:]:
        if not (frame.startswith("[") and frame == kept[-1]):
            kept.append(frame)
    return tuple(kept)


def hottest(samples, count):
    """The functions that most samples ended in or went through: by self, then by total."""
    own, total = collections.Counter(), collections.Counter()
    for sample in samples:
        own[sample[-1]] += 1
        total.update(set(sample))
    names = dict.fromkeys([name for name, _ in own.most_common(count)]
                          + [name for name, _ in total.most_common(count)])
    whole = max(1, len(samples))
    return [(name, own[name] / whole, total[name] / whole) for name in names]


class _Node:
    def __init__(self):
        self.samples = 0
        self.children = {}

    def add(self, frames):
        node = self
        node.samples += 1
        for frame in frames:
            node = node.children.setdefault(frame, _Node())
            node.samples += 1

    def depth(self):
        return 1 + max((child.depth() for child in self.children.values()), default=0)


def _colour(name):
    """The same for the same name in every graph; warm for ours, cool for libraries and kernel."""
    seed = zlib.crc32(name.encode())
    if name.startswith("[") or "::" not in name:
        return f"rgb({120 + seed % 50},{170 + seed // 50 % 50},{200 + seed // 2500 % 45})"
    return f"rgb({225 + seed % 30},{110 + seed // 50 % 110},{40 + seed // 5500 % 40})"


def _boxes(node, name, left, level, scale, whole, out):
    width = node.samples * scale
    if width < SMALLEST:
        return
    out.append((name, left, level, width, node.samples / whole))
    for child_name, child in sorted(node.children.items()):
        _boxes(child, child_name, left, level + 1, scale, whole, out)
        left += child.samples * scale


def render(samples, title):
    """The SVG's text. Wide is expensive; what stands on a box was called by it. Hover for shares."""
    root = _Node()
    for sample in samples:
        root.add(sample)
    whole = max(1, root.samples)
    boxes = []
    _boxes(root, "all", MARGIN, 0, (WIDTH - 2 * MARGIN) / whole, whole, boxes)
    height = (root.depth() + 2) * ROW + 2 * MARGIN
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
             f'viewBox="0 0 {WIDTH} {height}" font-family="monospace" font-size="11">',
             '<rect width="100%" height="100%" fill="#fffdf5"/>',
             f'<text x="{MARGIN}" y="{MARGIN + 10}" font-size="14">{html.escape(title)}</text>']
    for name, left, level, width, share in boxes:
        top = height - MARGIN - (level + 1) * ROW
        label = name if len(name) * CHARACTER < width - 4 else name[:max(0, int(width / CHARACTER) - 2)]
        lines.append(
            f'<g><title>{html.escape(name)}: {share:.1%}</title>'
            f'<rect x="{left:.1f}" y="{top}" width="{width:.1f}" height="{ROW - 1}" rx="1" '
            f'fill="{_colour(name)}"/>'
            + (f'<text x="{left + 2:.1f}" y="{top + 12}">{html.escape(label)}</text>'
               if len(label) > 2 else "") + "</g>")
    return "\n".join([*lines, "</svg>", ""])
