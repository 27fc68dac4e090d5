"""Plots for the docs, as SVG: ratios as bars with their goals, and latency."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from bench.contest import Result
from bench.figures import Met
from bench.table import figure, times

_COLOURS = {Met.AIM: "#1a7f37", Met.MUST: "#4ac26b", Met.MISSED: "#cf222e", Met.NO_GOAL: "#8c959f"}


def draw(results: Sequence[Result], directory: Path) -> list[Path]:
    """Write the plots there are figures for; return their paths."""
    written = []
    measured = [result for result in results if not result.skipped]
    compared = [result for result in measured if result.ratio is not None]
    latency = [
        result for result in measured if result.name.startswith("latency-") and result.unit == "ms"
    ]
    with mpl.rc_context():
        mpl.rcParams["svg.hashsalt"] = "postroad"  # the same figures make the same file
        mpl.rcParams["svg.fonttype"] = "none"
        mpl.rcParams["font.family"] = "sans-serif"
        mpl.rcParams["font.size"] = 9.0
        if compared:
            written.append(_save(_ratios(compared), directory / "ratios.svg"))
        if latency:
            written.append(_save(_latency(latency), directory / "latency.svg"))
        if growth := _growing(measured):
            written.append(_save(_growth(growth), directory / "growth.svg"))
    return written


def _ratios(results: Sequence[Result]) -> Figure:
    chart = Figure(figsize=(9, 0.36 * len(results) + 1.2), layout="constrained")
    axes = chart.subplots()
    places = range(len(results))
    ratios = [result.ratio or 0.0 for result in results]
    axes.barh(places, ratios, color=[_COLOURS[result.met] for result in results], height=0.6)
    for place, result in zip(places, results, strict=True):
        for value, style in ((result.must, "-"), (result.aim, ":")):
            if value is not None:
                axes.plot(
                    [value, value], [place - 0.4, place + 0.4], color="black", linestyle=style
                )
        axes.annotate(
            times(result.ratio),
            (result.ratio or 0.0, place),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
        )
    axes.set_yticks(places, [f"{result.title}\nvs {result.peer_name}" for result in results])
    axes.tick_params(axis="y", labelsize=7.5)
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.set_xlim(min(0.4, *ratios) * 0.8, max(10.0, *ratios) * 1.6)
    axes.axvline(1, color="#57606a", linewidth=0.8)
    axes.set_xlabel("times better than the peer (lines: must; dotted: aim)")
    axes.spines[["top", "right"]].set_visible(False)
    return chart


def _latency(results: Sequence[Result]) -> Figure:
    chart = Figure(figsize=(7, 0.5 * len(results) + 1.2), layout="constrained")
    axes = chart.subplots()
    places = range(len(results))
    values = [result.ours or 0.0 for result in results]
    axes.barh(places, values, color=[_COLOURS[result.met] for result in results], height=0.55)
    for place, result in zip(places, results, strict=True):
        for value, style in ((result.must, "-"), (result.aim, ":")):
            if value is not None:
                axes.plot(
                    [value, value], [place - 0.4, place + 0.4], color="black", linestyle=style
                )
        axes.annotate(
            f"{figure(result.ours)} ms",
            (result.ours or 0.0, place),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
        )
    axes.set_yticks(places, [result.name.removeprefix("latency-") for result in results])
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.set_xlabel("ms from submission's 250 to visible in POP3 (lines: must; dotted: aim)")
    axes.spines[["top", "right"]].set_visible(False)
    return chart


_GROWTH = {
    "queue": ("deliveries that wait", "a message to a mailbox"),
    "mailbox-deposit": ("messages in the mailbox", "a message to it"),
    "mailbox-retr": ("messages in the mailbox", "RETR"),
    "size": ("octets of the message", "a message to a mailbox"),
}


def _growing(results: Sequence[Result]) -> dict[str, list[tuple[float, float]]]:
    """Return (size, microseconds) by what grows: ``growth-mailbox-1000-retr`` is one of them."""
    found: dict[str, list[tuple[float, float]]] = {}
    for result in results:
        match result.name.split("-"):
            case ["growth", what, size, *more]:
                points = found.setdefault("-".join([what, *more]), [])
                points.append((float(size), result.ours or 0.0))
    return found


def _growth(found: dict[str, list[tuple[float, float]]]) -> Figure:
    chart = Figure(figsize=(10, 3.0), layout="constrained")
    for axes, what in zip(chart.subplots(1, len(found), squeeze=False)[0], found, strict=True):
        sizes, values = zip(*found[what], strict=True)
        axes.plot(sizes, values, marker="o", color="#1a7f37")
        axes.set_xscale("log")
        axes.set_ylim(0, max(values) * 1.25)
        if what == "size":
            axes.set_yscale("log")
            axes.set_ylim(min(values) * 0.5, max(values) * 2)
        across, up = _GROWTH.get(what, (what, what))
        axes.set_xlabel(across)
        axes.set_title(f"µs for {up}", fontsize="medium")
        axes.spines[["top", "right"]].set_visible(False)
    return chart


def _save(chart: Figure, path: Path) -> Path:
    # Without a date the file changes only with the figures.
    chart.savefig(path, format="svg", metadata={"Date": None})
    return path
