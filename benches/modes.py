"""Table and plot of what each mode costs, for benches/modes.sh.

usage: modes.py --arch ARCH [--suite SUITE] [--records DIR PACKAGE...] [--data FILE.csv] [--plot FILE.svg]

--records DIR  figures from the build records in DIR/SUITE-ARCH-PACKAGE-MODE, of these packages
--data FILE    figures of other days; those of the records are added to it

FILE has a line for each build: suite, arch, package, mode, version; cpu_s, CPU seconds of dpkg-buildpackage, user and system;
own_s, those of programs that the package itself built, or nothing if it is not known; bits, a hash of names and SHA-256 of all
packages, or = for an emulated build that `archmill verify` found to be the same as the accelerated one, and for the mode "debian": an
accelerated build of which the archive has the very same packages (benches/debian.py); and when it started.
A build without tests (`--no-check`) has a mode of its own, as emulated-no-check: it gives the figures that no build with tests gives.
Machines differ, and the load on them. So a row of the table has the accelerated build that is nearest in time to the emulated
one, or the last, and the native build nearest to that.
"""

import argparse
import csv
import datetime
import hashlib
import json
import math
import os
import statistics

NO_CHECK = "-no-check"
KINDS = [("", ""), (NO_CHECK, " (no tests)")]
COLUMNS = ["suite", "arch", "package", "mode", "version", "cpu_s", "own_s", "bits", "started"]


def read(records, suite, arch, package, mode):
    """The line of a build, from its record; None if there is no such build, or it failed."""
    try:
        with open(f"{records}/{suite}-{arch}-{package}-{mode}/build-record.json") as file:
            record = json.load(file)
    except OSError:
        return None
    # The last build of a farm may be of another mode.
    if record["outcome"].get("class") or record["request"]["mode"] != mode or record["request"]["suite"] != suite:
        return None
    cpu = sum(p["cpu_user_ms"] + p["cpu_system_ms"] for p in record["phases"] if p["phase"] == "build") / 1000
    system = ("/usr/", "/bin/", "/sbin/", "/lib", "(", "/dev/.twins/")
    used = record["resources"]["executables"]
    own = sum(e["cpu_ms"] for e in used if not e["path"].startswith(system)) / 1000
    # Records of archmill before its emulators had names by content: who was emulated was not known once another build began.
    if any(e["path"].endswith("(deleted)") for e in used):
        own = None
    debs = sorted(f"{a['name']} {a['sha256']}\n" for a in record["artifacts"] if a["name"].endswith("deb"))
    started = min(p["started"] for p in record["phases"])[:16]
    if "nocheck" in record["request"]["options"]:
        mode += NO_CHECK
    return {
        "suite": suite, "arch": arch, "package": package, "mode": mode,
        "version": record["inputs"]["source"]["version"],
        "cpu_s": f"{cpu:.1f}", "own_s": "" if own is None else f"{own:.1f}",
        "bits": hashlib.sha256("".join(debs).encode()).hexdigest()[:16], "started": started,
    }  # fmt: skip


def save(path, rows):
    """Whole or not at all: these are figures of many hours."""
    with open(path + ".new", "w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([COLUMNS, *rows])
    os.replace(path + ".new", path)


def key(line):
    return tuple(line[name] for name in ("suite", "arch", "package", "mode", "started"))


def moment(line):
    """Seconds; of a line that has the day or month alone, those of its beginning."""
    whole = line["started"] + "0000-01-01T00:00"[len(line["started"]) :]
    return datetime.datetime.fromisoformat(whole).timestamp()


def nearest(lines, suite, arch, package, mode, other):
    """The build nearest in time to the other one, or the last."""
    found = [line for line in lines.values() if key(line)[:4] == (suite, arch, package, mode)]
    return min(found, key=lambda line: abs(moment(line) - moment(other)) if other else -moment(line), default=None)


def ninth(values):
    """The 90th percentile: the least value that nine of ten do not exceed."""
    return sorted(values)[math.ceil(0.9 * len(values)) - 1]


def number(value, digits=1):
    return "-" if value is None else f"{value:.{digits}f}"


def figures(line):
    if line is None:
        return None, None
    return float(line["cpu_s"]), float(line["own_s"]) if line["own_s"] else None


def builds(lines, suite, arch, package, tests):
    """The emulated, the accelerated and the native build that a row is about."""
    slow = nearest(lines, suite, arch, package, "emulated" + tests, None)
    fast = nearest(lines, suite, arch, package, "accelerated" + tests, slow)
    return slow, fast, fast and nearest(lines, suite, "amd64", package, "native" + tests, fast)


def are_same(slow, fast):
    """Whether two builds gave the same packages; None if nobody knows."""
    if not slow:
        return None
    if slow["bits"] == "=":
        return True
    return slow["bits"] == fast["bits"] if slow["version"] == fast["version"] else None


def table(lines, arch, wanted):
    """Prints the table; gives for each package its ratios: own programs left out, all of it, and emulated to native."""
    print(
        f"| package ({arch}) | native s | own | accelerated s | own | emulated s "
        "| accelerated/native, own left out | with own | emulated/accelerated | same bits |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    ratios, wholes, speedups, speedups_untested, marks = [], [], [], [], []
    for suite, package in wanted:
        tested, untested = ((*builds(lines, suite, arch, package, tests), note) for tests, note in KINDS)
        slow, fast, native, note = tested if tested[1] else untested
        if not fast:
            continue
        # What is compared with the emulated build: without tests where there is none with.
        pair_slow, pair_fast, _, without = untested if not slow and untested[0] and untested[1] else (slow, fast, native, note)
        (at_home, own_at_home), (cpu, own), (emulated, _) = figures(native), figures(fast), figures(pair_slow)
        known = None not in (at_home, own_at_home, cpu, own)
        ratio = (cpu - own) / (at_home - own_at_home) if known else None
        whole = cpu / at_home if native else None
        speedup = emulated / figures(pair_fast)[0] if pair_slow else None
        ratios += [ratio] if ratio else []
        wholes += [whole] if whole else []
        if whole:
            marks.append((package, ratio, whole, emulated / at_home if slow else None))
        if speedup:
            (speedups_untested if without else speedups).append(speedup)
        same = are_same(pair_slow, pair_fast)
        words = [] if same is None else [("yes" if same else "NO") + without]
        if nearest(lines, suite, arch, package, "debian", None):
            words.append("as Debian's")
        cells = [*map(number, (at_home, own_at_home, cpu, own)), number(emulated) + (without if emulated else "")]
        print(
            f"| {package}, {suite}{note} | {' | '.join(cells)} | {number(ratio, 2)} | {number(whole, 2)} "
            f"| {number(speedup)} | {', '.join(words) or '-'} |"
        )
    kinds = (
        (ratios, "accelerated/native, own left out"),
        (wholes, "with own"),
        (speedups, "emulated/accelerated"),
        (speedups_untested, "emulated/accelerated, both without tests"),
    )
    for values, what in kinds:
        if values:
            print(
                f"\n{what}: {len(values)} package{'s' * (len(values) > 1)}, {min(values):.2f} to {max(values):.2f}, "
                f"median {statistics.median(values):.2f}, 90th percentile {ninth(values):.2f}"
            )
    return marks


def draw(marks, arch, path):
    marks.sort(key=lambda mark: mark[2])
    width, left, top, row = 760, 150, 46, 16
    height = top + row * len(marks) + 44
    everything = [value for mark in marks for value in mark[1:] if value]
    low = math.floor(math.log2(min(everything)) * 2) / 2
    high = math.ceil(math.log2(max(everything)) * 2) / 2

    def x(value):
        return left + (math.log2(value) - low) / (high - low) * (width - left - 30)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]

    def text(at_x, at_y, what, anchor="middle"):
        parts.append(f'<text x="{at_x:.1f}" y="{at_y:.1f}" text-anchor="{anchor}">{what}</text>')

    for tick in (0.5, 0.75, 1, 1.5, 2, 3, 4, 6, 8, 12, 16, 24, 32):
        if low <= math.log2(tick) <= high:
            parts.append(
                f'<line x1="{x(tick):.1f}" x2="{x(tick):.1f}" y1="{top - 6}" y2="{height - 40}" '
                f'stroke="#ccc" stroke-width="{2 if tick == 1 else 1}"/>'
            )
            text(x(tick), height - 24, f"{tick}×")
    text((left + width) / 2, height - 6, f"times the CPU time of the native build (amd64), {arch}")
    kinds = (
        ("#1f6f8b", 1, "accelerated, own programs left out"),
        ("#d9822b", 2, "accelerated, all of it"),
        ("#9a3b3b", 3, "emulated"),
    )
    for place, (package, *values) in enumerate(marks):
        middle = top + row * (place + 0.5)
        text(left - 8, middle + 4, package, "end")
        for (colour, _, what), value in reversed(list(zip(kinds, values))):
            if value:
                parts.append(
                    f'<circle cx="{x(value):.1f}" cy="{middle:.1f}" r="4" fill="{colour}">'
                    f"<title>{package}, {what}: {value:.2f}×</title></circle>"
                )
    at = left
    for colour, place, what in kinds:
        if any(mark[place] for mark in marks):
            parts.append(f'<circle cx="{at}" cy="18" r="4" fill="{colour}"/>')
            text(at + 9, 22, what, "start")
            at += 30 + 6.5 * len(what)
    parts.append("</svg>")
    with open(path, "w") as file:
        file.write("\n".join(parts) + "\n")


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    for option in ("--records", "--data", "--plot"):
        parser.add_argument(option)
    parser.add_argument("--suite", default="trixie")
    parser.add_argument("--arch", default="arm64")
    parser.add_argument("packages", nargs="*")
    given = parser.parse_args()
    lines = {}
    if given.data and os.path.exists(given.data):
        with open(given.data, newline="") as file:
            lines = {key(line): line for line in csv.DictReader(file)}
    packages = [package.split("=")[0] for package in given.packages]
    if given.records:
        for package in packages:
            for arch, mode in (("amd64", "native"), (given.arch, "accelerated"), (given.arch, "emulated")):
                line = read(given.records, given.suite, arch, package, mode)
                if line:
                    lines[key(line)] = line
    if given.data:
        save(given.data, ([lines[at][name] for name in COLUMNS] for at in sorted(lines)))
        wanted = sorted({(suite, package) for suite, _, package, *_ in lines})
    else:
        wanted = [(given.suite, package) for package in packages]
    marks = table(lines, given.arch, wanted)
    if given.plot and marks:
        draw(marks, given.arch, given.plot)


if __name__ == "__main__":
    main()
