"""Holds the packages of builds against those that the archive has, which were built on machines of the architecture.

usage: debian.py [--data FILE.csv] FOLDER...

FOLDER has the build-record.json of a build. Of each package of it, but for debug symbols, the SHA-256 is compared with that in the
index of the repository that the record names. A package that the archive has rebuilt (+b1) is not compared.

--data FILE  adds a line of mode "debian" to the figures of benches/modes.py for each accelerated build of which all are the same
"""

import csv
import functools
import json
import lzma
import sys
import urllib.request

from modes import save


@functools.cache
def index(uri, suite, arch):
    """SHA-256 by name and version, which has no epoch."""
    with urllib.request.urlopen(f"{uri}/dists/{suite}/main/binary-{arch}/Packages.xz") as answer:
        text = lzma.decompress(answer.read()).decode()
    stanzas = (dict(line.split(": ", 1) for line in stanza.splitlines() if ": " in line) for stanza in text.split("\n\n"))
    return {(s["Package"], s["Version"].split(":")[-1]): s["SHA256"] for s in stanzas if "SHA256" in s}


def compare(folder):
    """The record, and the names of the packages that are the same and of those that are not."""
    with open(f"{folder}/build-record.json") as file:
        record = json.load(file)
    request, same, other = record["request"], [], []
    uri = next(repository["uri"] for repository in record["inputs"]["repositories"] if repository["suite"] == request["suite"])
    for artifact in record["artifacts"]:
        if artifact["name"].endswith(".deb"):
            name, version, _ = artifact["name"][: -len(".deb")].split("_")
            theirs = index(uri, request["suite"], request["arch"]).get((name, version))
            if theirs:
                (same if theirs == artifact["sha256"] else other).append(name)
    return record, same, other


def main():
    folders = sys.argv[1:]
    data = None
    if folders[:1] == ["--data"]:
        data, folders = folders[1], folders[2:]
    if not folders:
        sys.exit(__doc__)
    lines = []
    for folder in folders:
        record, same, other = compare(folder)
        request, source = record["request"], record["inputs"]["source"]
        print(f"{source['package']}, {request['suite']}, {request['arch']}: {len(same)} the same, {len(other)} not {' '.join(other)}")
        if same and not other and request["mode"] == "accelerated":
            started = min(phase["started"] for phase in record["phases"])[:16]
            lines.append([request["suite"], request["arch"], source["package"], "debian", source["version"], "", "", "=", started])
    if data:
        with open(data, newline="") as file:
            rows = list(csv.reader(file))[1:]
        save(data, sorted(rows + lines))


main()
