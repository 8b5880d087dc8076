#!/usr/bin/env python3
"""Who may include whom: include_check.py ROOT prints every breach of the rules below and fails if there is one.

The rules are those of docs/architecture.md. What a folder may include of ours and of third parties stands in
LAYERS; a third-party library that only some files may touch stands in CONFINED.
"""
import pathlib
import re
import sys

# Third-party libraries by the first element of an include path, or by its whole.
LIBRARIES = {
    "caf": "CAF", "libtorrent": "libtorrent", "boost": "libtorrent", "zmq.h": "ZeroMQ", "zmq.hpp": "ZeroMQ",
    "zmq_addon.hpp": "ZeroMQ", "spdlog": "spdlog", "fmt": "spdlog", "toml++": "toml++", "nlohmann": "nlohmann",
    "openssl": "libcrypto", "liburing.h": "liburing", "liburing": "liburing", "catch2": "Catch2",
    "prometheus": "prometheus-cpp", "CivetServer.h": "prometheus-cpp", "civetweb.h": "prometheus-cpp",
}

# folder: (ours: folders or single headers, third party)
LAYERS = {
    "actors/core": ((), {"libcrypto", "liburing"}),
    "ctl/wire": (("actors/core/result.hpp", "actors/core/error.hpp"), {"nlohmann"}),
    "config": (("actors/core/result.hpp", "actors/core/error.hpp", "actors/core/file_replace.hpp"), {"toml++"}),
    "actors/bt": (("actors/core", "actors/messages.hpp", "actors/events.hpp"), {"libtorrent", "CAF", "spdlog"}),
    "actors": (("actors/core",), {"CAF", "spdlog"}),
    "ctl/create": (("actors/core", "actors/bt/torrent_file.hpp"), set()),
    "ctl": (("ctl/wire", "ctl/create", "actors/core/result.hpp", "actors/core/error.hpp"), {"ZeroMQ", "nlohmann"}),
    "daemon": (("actors", "actors/core", "actors/bt", "config", "ctl/wire"),
               {"CAF", "ZeroMQ", "spdlog", "nlohmann", "prometheus-cpp"}),
}

# library: the only files that may include it, where that is narrower than the folder
CONFINED = {
    "libcrypto": {"actors/core/piece_digest.cpp", "actors/core/sha_openssl.cpp"},
    "liburing": {"actors/core/io_ring.cpp"},
    "toml++": {"config/toml_tree.cpp"},
    "prometheus-cpp": {"daemon/metrics_endpoint.cpp"},
    "ZeroMQ": {"ctl/client.cpp", "ctl/curve.cpp", "ctl/fleet_client.cpp", "ctl/fleet_link.cpp", "ctl/zmq_socket.cpp",
               "daemon/control_socket.cpp", "daemon/zmq_socket.cpp"},
}

INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)', re.M)


def layer_of(name):
    """The longest folder of LAYERS that the file lies in, or None."""
    parts = name.split("/")[:-1]
    while parts:
        if "/".join(parts) in LAYERS:
            return "/".join(parts)
        parts.pop()
    return None


def library_of(path):
    return LIBRARIES.get(path) or LIBRARIES.get(path.split("/")[0])


def may_include(layer, header, ours):
    if layer_of(header) == layer:
        return True
    return any(header == entry or layer_of(header) == entry for entry in ours)


def check_file(name, text, headers):
    """Breaches of one file; fills headers[name] with what it includes of ours."""
    layer = layer_of(name)
    ours, third_party = LAYERS[layer] if layer else ((), set())
    is_test = name.startswith("tests/")
    own = headers.setdefault(name, [])
    if name.endswith(".hpp") and "#pragma once" not in text.splitlines()[:1]:
        yield f"{name}: a header begins with #pragma once"
    for match in INCLUDE.finditer(text):
        quoted, angled = match.groups()
        if quoted:
            own.append(quoted)
            if is_test or may_include(layer, quoted, ours):
                continue
            yield f"{name}: {layer} may not include {quoted}"
            continue
        if layer_of(angled) or angled.endswith(".hpp") and not library_of(angled):
            yield f"{name}: <{angled}>: ours are included in quotes, and no other library is used"
            continue
        library = library_of(angled)
        if library is None or is_test:
            continue
        if library not in third_party:
            yield f"{name}: {layer} may not include <{angled}> ({library})"
        elif library in CONFINED and name not in CONFINED[library]:
            yield f"{name}: only {', '.join(sorted(CONFINED[library]))} may include {library}"


def check_own_header_first(name, text, names):
    header = name[:-4] + ".hpp"
    if not name.endswith(".cpp") or name.startswith("tests/") or header not in names:
        return
    first = INCLUDE.search(text)
    if first is None or first.group(1) != header:
        yield f"{name}: includes {header} first"


def check_cycles(headers):
    done, path = set(), []

    def visit(name):
        if name in path:
            yield "include cycle: " + " -> ".join(path[path.index(name):] + [name])
            return
        if name in done:
            return
        path.append(name)
        for other in headers.get(name, ()):
            yield from visit(other)
        path.pop()
        done.add(name)

    for name in sorted(headers):
        yield from visit(name)


def check_tree(root):
    """All breaches of the tree, and the number of files that were read."""
    root = pathlib.Path(root)
    texts = {}
    for folder in ("actors", "config", "ctl", "daemon", "tests"):
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in (".hpp", ".cpp"):
                texts[path.relative_to(root).as_posix()] = path.read_text(encoding="utf-8")
    faults, headers = [], {}
    for name, text in texts.items():
        faults += check_file(name, text, headers)
        faults += check_own_header_first(name, text, texts)
        faults += [f'{name}: there is no "{other}"' for other in headers[name] if other not in texts]
    faults += check_cycles(headers)
    return faults, len(texts)


def main():
    faults, count = check_tree(sys.argv[1])
    for fault in faults:
        print(fault)
    print(f"{count} files, {len(faults)} breaches")
    sys.exit(bool(faults) or count == 0)


if __name__ == "__main__":
    main()
