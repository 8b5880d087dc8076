#!/usr/bin/python3
"""What the lab bench computes by itself: who is told of whom, idle time, tables."""
import pathlib
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "e2e")]
try:
    import zmq  # noqa: F401  pylint: disable=unused-import
except ImportError:
    print("skipped: python3-zmq is not installed")
    sys.exit(77)
from lab_report import disturbance_report, report  # noqa: E402
from lab_scene import Fate, parents, told_of  # noqa: E402
from netns import LinkWatch, idle_share  # noqa: E402


class Topologies(unittest.TestCase):
    def test_in_a_mesh_each_node_is_told_of_the_source(self):
        self.assertEqual([told_of("mesh", index, 3) for index in (1, 2, 3)], [[0], [0], [0]])

    def test_in_a_chain_each_node_is_told_of_its_predecessor(self):
        self.assertEqual([told_of("chain", index, 3) for index in (1, 2, 3)], [[0], [1], [2]])

    def test_in_a_double_tree_who_passes_on_in_one_tree_only_receives_in_the_other(self):
        for nodes in range(2, 40):
            first = {index // 2 for index in range(1, nodes + 1)}
            second = {parent for index in range(1, nodes + 1) for parent in parents("tree", index, nodes)} - first
            self.assertEqual(len(second), nodes // 2, nodes)
            self.assertFalse(first & second, nodes)

    def test_in_a_double_tree_everyone_is_reached_through_both_roots(self):
        for nodes in range(2, 40):
            above = {index: parents("tree", index, nodes) for index in range(1, nodes + 1)}
            self.assertEqual(sum(0 in parents for parents in above.values()), 2, nodes)
            children = [sum(node in parents for parents in above.values()) for node in range(1, nodes + 1)]
            self.assertLessEqual(max(children), 2, nodes)
            for node in above:
                reached, wave = set(), {node}
                while wave:
                    reached |= wave
                    wave = {parent for one in wave - {0} for parent in above[one]} - reached
                self.assertIn(0, reached, nodes)


    def test_each_node_is_told_only_of_those_that_began_before_it_and_of_all_its_neighbours_by_one_side(self):
        for topology in ("mesh", "chain", "tree"):
            for nodes in range(1, 40):
                links = {frozenset((index, parent)) for index in range(1, nodes + 1) for parent in parents(topology, index, nodes)}
                told = [(index, other) for index in range(1, nodes + 1) for other in told_of(topology, index, nodes)]
                self.assertEqual({frozenset(pair) for pair in told}, links, (topology, nodes))
                self.assertTrue(all(other < index for index, other in told), (topology, nodes))
                self.assertEqual({index for index, _ in told}, set(range(1, nodes + 1)), (topology, nodes))


class IdleTime(unittest.TestCase):
    SAMPLES = [(0.0, {1: (0, 0)}), (1.0, {1: (0, 1000)}), (2.0, {1: (0, 1050)}), (3.0, {1: (0, 2050)}), (4.0, {1: (0, 2050)})]

    def test_counts_the_time_below_a_tenth_of_the_rate(self):
        self.assertEqual(idle_share(self.SAMPLES, 1, 1, 0, 4, 1000), 0.5)
        self.assertEqual(idle_share(self.SAMPLES, 1, 0, 0, 4, 1000), 1.0)

    def test_counts_only_between_start_and_end(self):
        self.assertEqual(idle_share(self.SAMPLES, 1, 1, 0, 1, 1000), 0.0)
        self.assertEqual(idle_share(self.SAMPLES, 1, 1, 2.5, 3.5, 1000), 0.5)

    def test_is_unknown_without_samples(self):
        self.assertIsNone(idle_share(self.SAMPLES, 1, 1, 10, 20, 1000))
        self.assertIsNone(idle_share([], 1, 1, 0, 1, 1000))

    def test_what_comes_in_at_a_port_is_what_its_machine_sent(self):
        text = ("Inter-|   Receive  |  Transmit\n face |bytes packets\n    lo: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0\n"
                "    p0: 70 1 0 0 0 0 0 0 30 1 0 0 0 0 0 0\n   br0: 5 1 0 0 0 0 0 0 6 1 0 0 0 0 0 0\n   p12: 8 1 0 0 0 0 0 0 9 1 0 0 0 0 0 0\n")
        self.assertEqual(LinkWatch.parse(text), {0: (70, 30), 12: (8, 9)})


def outcome(tool="eziod", fates=(), last=20.0, others=None, **more):
    return {"nodes_count": 2, "mbit": 100, "size": 1, "settings": [], "tool": tool, "fates": list(fates), "times": [10.0, last],
            "others": others or [10.0, last], "missing": 0, "wrong": [], "verified": 2, "ideal": 10.0, "source_images": 1.0,
            "duplicate_mib": 0.0, "cpu_busy": [0.5, 0.5], **more}


class Tables(unittest.TestCase):
    def test_one_row_a_tool_with_medians_over_runs(self):
        runs = [outcome(last=last, source_up_idle=idle, down_idle=[0.0, idle]) for last, idle in ((20.0, 0.1), (16.0, 0.2), (90.0, 0.3))]
        rows = report([*runs, outcome("aria2"), outcome("udpcast"), outcome("eziod chain")]).splitlines()[2:]
        cells = [[cell.strip() for cell in row.split("|")] for row in rows]
        self.assertEqual([row[3] for row in cells], ["aria2", "eziod", "eziod chain", "udpcast"])
        self.assertEqual(cells[1][6], "20.0")
        self.assertEqual(cells[1][11:13], ["20%", "10%"])
        # Runs of earlier benches have no such figure.
        self.assertEqual(cells[0][11:13], ["-", "-"])

    def test_a_disturbance_is_compared_with_the_same_topology(self):
        text = disturbance_report([outcome(others=[10.0]), outcome("eziod chain", others=[20.0]), outcome(fates=["slow:1"], others=[11.0]),
                                   outcome("eziod chain", fates=["slow:1"], others=[40.0])])
        self.assertIn("+10.0%", text)
        self.assertIn("+100.0%", text)


class Fates(unittest.TestCase):
    def test_a_node_with_a_failing_disk_is_not_to_finish(self):
        self.assertFalse(Fate("failing-disk", "failing-disk").is_to_finish)
        self.assertTrue(Fate("slow-disk", "slow-disk").is_to_finish)

    def test_a_failing_disk_fails_at_its_moment(self):
        fate = Fate("failing-disk", "failing-disk@50%", share=0.5)
        self.assertFalse(fate.is_due(1, lambda: 0.4, None))
        self.assertTrue(fate.is_due(1, lambda: 0.5, None))


if __name__ == "__main__":
    unittest.main()
