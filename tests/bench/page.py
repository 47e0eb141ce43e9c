"""Tables for people, on the terminal and in docs/performance.md, whose hand-written text stands around marked places that are filled here."""
import datetime
import os
import platform
import re
from pathlib import Path

import charts
import where

DOCS = Path(__file__).resolve().parents[2] / "docs"


def text_table(head, rows):
    widths = [max(len(str(row[i])) for row in [head, *rows]) for i in range(len(head))]
    return "\n".join("  ".join(str(cell).ljust(width) if i == 0 else str(cell).rjust(width) for i, (cell, width) in enumerate(zip(row, widths))).rstrip()
                     for row in [head, *rows]) + "\n"


def number(value):
    return f"{value:.4f}" if value < 0.1 else f"{value:.3f}" if value < 1 else f"{value:.2f}" if value < 100 else f"{value:,.0f}"


def seconds(cell):
    return cell.why or "n/a" if cell.seconds is None else number(cell.seconds)


def megabytes(cell):
    return "n/a" if cell.peak is None else f"{cell.peak:,.0f}"


def ratio(value, base):
    if value is None or not base:
        return ""
    return f"{value / base:.3f}" if value < base / 10 else f"{value / base:.2f}"


def markdown(head, rows):
    """A row whose other cells are empty is a heading."""
    lines = ["| " + " | ".join(map(str, head)) + " |", "|---|" + "---:|" * (len(head) - 1)]
    for row in rows:
        first = f"**{row[0].lower()}**" if not any(row[1:]) else row[0]
        lines.append("| " + " | ".join([first, *map(str, row[1:])]) + " |")
    return "\n".join(lines)


def fill(name, text):
    """Puts the text between the marks of that name."""
    path = DOCS / "performance.md"
    page = path.read_text(encoding="utf-8")
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    page, count = re.subn(f"{re.escape(begin)}.*?{re.escape(end)}", lambda _: f"{begin}\n{text}\n{end}", page, flags=re.DOTALL)
    if count != 1:
        raise RuntimeError(f"{path}: not one place called {name}")
    path.write_text(page, encoding="utf-8")


def machine():
    with open("/proc/cpuinfo", encoding="ascii") as file:
        model = next((line.split(":")[1].strip() for line in file if line.startswith("model name")), "unknown")
    return f"{datetime.date.today()}, kernel {platform.release().split('-')[0]}, {os.cpu_count()} processors, {model}"


def write_packets(head, rows, shares, columns, costs):
    """`shares` is a list of (title, one share of the base line per column)."""
    charts.bars(DOCS / "performance-packets.svg", "Packets a second through the gateway", "share of what a chain gets that only tracks connections and accepts",
                shares, columns, mark=0.95)
    fill("packets", f"{machine()}\n\n![packets](performance-packets.svg)\n\n{markdown(head, rows)}\n\n```\n{where.text(costs)}\n```")


def write_proof(tables):
    """`tables`: (words, head, rows)."""
    fill("proof", "\n\n".join([machine(), *(f"{words}\n\n{markdown(head, rows)}" for words, head, rows in tables)]))


def write_load(head, times, peaks, bounds_head, bounds_rows, policies_head, policies_rows, phase_rows, sizes):
    counts = list(sizes)
    wanted = (("policyc apply, whole", "apply", None), ("nft -f", "nft -f", None), ("libnftables, JSON", "libnftables JSON", None), ("policyc, nothing changed", "apply again", None),
              ("policyc, program phase", "apply", "program"), ("by hand, one set", "floor", None))
    series = []
    for title, name, phase in wanted:
        cells = [cells[name].phase(phase) if phase else cells[name] for cells in sizes.values()]
        if any(cell.seconds for cell in cells):
            series.append((title, [cell.seconds for cell in cells]))
    charts.lines(DOCS / "performance-load.svg", "Loading a policy from nothing", "seconds by elements, both logarithmic", counts, series, lambda value: f"{value:g} s")
    text = f"{machine()}\n\n![load](performance-load.svg)\n\nSeconds, and the ratio to `nft -f` of the same elements (of reading: to `nft list`).\n\n{markdown(head, times)}"
    text += f"\n\nWhat is promised, and what was found; in brackets where nothing is promised for that size.\n\n{markdown(bounds_head, bounds_rows)}"
    text += f"\n\nPeak memory, MB.\n\n{markdown(head, peaks)}\n\nWhole policies, seconds.\n\n{markdown(policies_head, policies_rows)}"
    if phase_rows:
        text += f"\n\nThe phases of `policyc apply`, seconds.\n\n{markdown(['phase', *(f'{count:,}' for count in counts)], phase_rows)}"
    fill("load", text)
