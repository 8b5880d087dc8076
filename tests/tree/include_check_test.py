#!/usr/bin/env python3
"""The include check finds each kind of breach in a tree that has just this one."""
import pathlib
import tempfile
import unittest

import include_check

CLEAN = {
    "actors/core/error.hpp": "#pragma once\n#include <string>\n",
    "actors/core/result.hpp": '#pragma once\n#include "actors/core/error.hpp"\n',
    "actors/core/units.hpp": "#pragma once\n",
    "actors/core/error.cpp": '#include "actors/core/error.hpp"\n#include <cerrno>\n',
    "actors/core/piece_digest.cpp": "#include <openssl/evp.h>\n",
    "actors/messages.hpp": '#pragma once\n#include "actors/core/units.hpp"\n#include <caf/all.hpp>\n',
    "actors/bt/torrent_file.hpp": '#pragma once\n#include "actors/core/result.hpp"\n',
    "ctl/wire/codec.hpp": '#pragma once\n#include "actors/core/result.hpp"\n#include <nlohmann/json.hpp>\n',
    "ctl/client.cpp": '#include "ctl/wire/codec.hpp"\n#include <zmq.h>\n',
    "config/toml_tree.cpp": '#include "actors/core/result.hpp"\n#include <toml++/toml.h>\n',
    "daemon/control_socket.cpp": '#include "actors/messages.hpp"\n#include <zmq.hpp>\n',
}


class IncludeCheck(unittest.TestCase):
    def faults(self, changed):
        with tempfile.TemporaryDirectory() as folder:
            for name, text in (CLEAN | changed).items():
                path = pathlib.Path(folder, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
            return include_check.check_tree(folder)[0]

    def test_a_clean_tree_has_no_breach(self):
        self.assertEqual(self.faults({}), [])

    def test_each_breach_is_found_once(self):
        for name, text, words in (
                ("actors/core/a.cpp", "#include <caf/all.hpp>\n", "CAF"),
                ("actors/core/a.cpp", '#include "actors/messages.hpp"\n', "may not include actors/messages.hpp"),
                ("actors/core/a.cpp", "#include <openssl/sha.h>\n", "only actors/core/piece_digest.cpp"),
                ("actors/core/a.cpp", "#include <liburing.h>\n", "only actors/core/io_ring.cpp"),
                ("actors/a.cpp", "#include <liburing.h>\n", "liburing"),
                ("ctl/wire/a.cpp", '#include "actors/core/units.hpp"\n', "ctl/wire may not include"),
                ("ctl/a.cpp", "#include <zmq.hpp>\n", "only ctl/client.cpp"),
                ("daemon/a.cpp", "#include <prometheus/registry.h>\n", "only daemon/metrics_endpoint.cpp"),
                ("ctl/a.cpp", "#include <CivetServer.h>\n", "prometheus-cpp"),
                ("ctl/a.cpp", "#include <libtorrent/session.hpp>\n", "libtorrent"),
                ("config/a.cpp", "#include <toml++/toml.h>\n", "only config/toml_tree.cpp"),
                ("actors/a.cpp", "#include <libtorrent/session.hpp>\n", "libtorrent"),
                ("actors/a.cpp", '#include "ctl/wire/codec.hpp"\n', "actors may not include"),
                ("actors/bt/a.cpp", "#include <nlohmann/json.hpp>\n", "nlohmann"),
                ("daemon/a.cpp", "#include <libtorrent/session.hpp>\n", "libtorrent"),
                ("actors/core/a.hpp", "\n#pragma once\n", "begins with #pragma once"),
                ("actors/core/error.cpp", '#include <cerrno>\n#include "actors/core/error.hpp"\n', "first"),
                ("actors/core/a.cpp", '#include "actors/core/gone.hpp"\n', "there is no"),
                ("actors/core/error.hpp", '#pragma once\n#include "actors/core/result.hpp"\n', "include cycle"),
                ("actors/core/a.cpp", "#include <actors/core/error.hpp>\n", "in quotes"),
        ):
            with self.subTest(name=name, text=text):
                found = self.faults({name: text})
                self.assertEqual(len(found), 1, found)
                self.assertIn(words, found[0])


if __name__ == "__main__":
    unittest.main()
