"""Lines and tables of roll-outs."""
import collections

from figures import median, table


def efficiency(outcome):
    """Ideal time by that of the last node; 0 if a node is missing."""
    if outcome["missing"] or not outcome["times"]:
        return 0.0
    return outcome["ideal"] / outcome["times"][-1]


def idle(outcome):
    """Shares of idle time: (the source's link up, the median of the nodes' links down); None for what is not known."""
    nodes = [share for share in outcome.get("down_idle", []) if share is not None]
    return outcome.get("source_up_idle"), median(nodes) if nodes else None


def percent(share):
    return "-" if share is None else f"{share:.0%}"


def median_percent(shares):
    known = [share for share in shares if share is not None]
    return percent(median(known) if known else None)


def run_line(outcome):
    times = outcome["times"] or [float("nan")]
    duplicate = "" if outcome["duplicate_mib"] is None else f", {outcome['duplicate_mib']:.1f} MiB twice"
    events = "".join(f"; {when} s {what}" for when, what in outcome["events"])
    faults = "".join(f"; WRONG: {fault}" for fault in outcome["wrong"])
    daemons = f" (daemons {outcome['daemon_cpu_s']:.0f} CPU-s)" if "daemon_cpu_s" in outcome else ""
    missing = f"; {outcome['missing']} NEVER ENDED" if outcome["missing"] else ""
    fates = f" with {', '.join(outcome['fates'])} (others: median {median(outcome['others']):.1f} s)" if outcome["fates"] else ""
    source_idle, node_idle = idle(outcome)
    return (f"{outcome['nodes_count']} nodes at {outcome['mbit']:g} Mbit/s, {outcome['tool']}{fates}: first {times[0]:.1f}, "
            f"median {median(times):.1f}, last {times[-1]:.1f} s of ideally {outcome['ideal']:.1f}: {efficiency(outcome):.3f}; source sent "
            f"{outcome['source_images']:.2f} images{duplicate}; links idle: source up {percent(source_idle)}, median node down {percent(node_idle)}; CPU {outcome['cpu_busy'][0]:.0%} busy, {outcome['cpu_busy'][1]:.0%} with what ran niced{daemons}; "
            f"{outcome['verified']} verified{missing}{faults}{events}")


def report(runs):
    """Medians over the runs of each tool, size of the lab and list of fates."""
    groups = collections.defaultdict(list)
    for run in runs:
        groups[(run["nodes_count"], run["mbit"], run["tool"], " ".join(run["fates"]), " ".join(run["settings"]))].append(run)
    rows = []
    for (nodes, mbit, tool, fates, settings), outcomes in sorted(groups.items()):
        complete = [outcome for outcome in outcomes if outcome["times"] and not outcome["missing"]]
        figures = [f"{median(outcome['times'][0] for outcome in complete):.1f}",
                   f"{median(median(outcome['times']) for outcome in complete):.1f}",
                   f"{median(outcome['times'][-1] for outcome in complete):.1f}"] if complete else ["-"] * 3
        duplicates = [outcome["duplicate_mib"] for outcome in outcomes if outcome["duplicate_mib"] is not None]
        rows.append([nodes, f"{mbit:g}", " ".join(filter(None, (tool, fates if tool.startswith("eziod") else "", settings))), *figures,
                     f"{outcomes[0]['ideal']:.1f}", f"{median(efficiency(outcome) for outcome in outcomes):.3f}",
                     f"{median(outcome['source_images'] for outcome in outcomes):.2f}",
                     f"{median(duplicates):.1f}" if duplicates else "-",
                     *(median_percent(shares) for shares in zip(*map(idle, outcomes))),
                     f"{median(outcome['cpu_busy'][0] for outcome in outcomes):.0%}",
                     f"{sum(outcome['verified'] for outcome in outcomes)}/"
                     f"{sum(outcome['verified'] + outcome['missing'] + len(outcome['wrong']) for outcome in outcomes)}", len(outcomes)])
    return table(["nodes", "Mbit/s", "tool", "first s", "median s", "last s", "ideal s", "efficiency", "source images", "MiB twice",
                  "source up idle", "median node down idle", "CPU busy", "verified", "runs"], rows)


def disturbance_report(runs):
    """What each fate did to the nodes that it did not hit: their median and last against those of undisturbed runs of the same lab."""
    def lab_of(run):
        return run["nodes_count"], run["mbit"], run["size"], run["tool"]

    plain = collections.defaultdict(list)
    for run in runs:
        if not run["fates"]:
            plain[lab_of(run)].append(run)
    groups = collections.defaultdict(list)
    for run in runs:
        if run["fates"] and plain.get(lab_of(run)):
            groups[(*lab_of(run), " ".join(run["fates"]))].append(run)
    rows = []
    for (*same_lab, fates), outcomes in groups.items():
        calm = plain[tuple(same_lab)]
        nodes, mbit, _, tool = same_lab
        was, now = (median(median(outcome["others"]) for outcome in some) for some in (calm, outcomes))
        last = median(max(outcome["others"], default=float("nan")) for outcome in outcomes)
        fated = [max(outcome["times"]) for outcome in outcomes if len(outcome["times"]) > len(outcome["others"])]
        rows.append([nodes, f"{mbit:g}", tool, fates, f"{was:.1f}", f"{now:.1f}", f"{now / was - 1:+.1%}", f"{last:.1f}",
                     f"{median(fated):.1f}" if fated else "-", f"{median(outcome['source_images'] for outcome in outcomes):.2f}",
                     sum(outcome["missing"] for outcome in outcomes), len(outcomes)])
    return table(["nodes", "Mbit/s", "tool", "fate", "median s, undisturbed", "median s, others", "change", "last s, others",
                  "last s of all", "source images", "never ended", "runs"], rows) if rows else ""
