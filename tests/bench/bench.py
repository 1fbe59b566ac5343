"""The figures, each beside its peer. Nothing here decides a test.

Prints a table and writes the same as JSON. Peers are measured in the same run, on the same machine: Docker Engine and
Swarm, in a private daemon (--no-peers leaves them out). Medians of several; a laptop's figures vary by a third from run
to run, so compare ratios.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import docker_peer
import longshore_server
import registries

SERVICE = 40
# Container instances, with a hundred tasks each: up to a million.
GROWTH = (1_000, 3_000, 10_000)


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def pss_kib(pid):
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(next(line for line in text.splitlines() if line.startswith("Pss:")).split()[1])


def launches(server, rounds, pause):
    """RunTask to RUNNING, as the server's own time stamps have it, and as a client sees it."""
    stamped, seen = [], []
    for _ in range(rounds):
        begun = time.monotonic()
        arn = server.run_task()
        task = server.wait_task(arn, "RUNNING")
        seen.append((time.monotonic() - begun) * 1000)
        stamped.append((task["startedAt"] - task["createdAt"]).total_seconds() * 1000)
        server.ecs.stop_task(task=arn)
        time.sleep(pause)
    return stamped, seen


def service(server):
    """CreateService to all tasks RUNNING, in seconds; the shims' PSS while they run."""
    begun = time.monotonic()
    server.create_service("bench", SERVICE)
    while server.running("bench") < SERVICE:
        time.sleep(0.005)
    took = time.monotonic() - begun
    time.sleep(2)
    shims = [pss_kib(pid) for pid in server.shims()]
    server.delete_service("bench")
    return took, shims


def load(args):
    """RunTask against simulated agents: the median of three runs, each with a server of its own."""
    runs = []
    for _ in range(3):
        done = subprocess.run([args.load, "--bin", args.bin], capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"{args.load} failed:\n{done.stdout}{done.stderr}")
        runs.append(json.loads(done.stdout))
    return sorted(runs, key=lambda run: run["load_acknowledged_tasks_per_s"])[1]


def standing(args):
    """5,000 services of 20 tasks, with simulated agents: what they cost at rest, and how soon a change is with its agent."""
    command = [args.load, "--bin", args.bin, "--instances", "250", "--services", "5000", "--each", "20"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{args.load} failed:\n{done.stdout}{done.stderr}")
    return json.loads(done.stdout)


def growth(args):
    """A hundred tasks for each of more and more simulated instances, from none to all RUNNING, through the product's own
    writer and the agents' protocol; then the full site is asked, killed, and started again."""
    figures = {}
    for instances in GROWTH:
        command = [args.load, "--bin", args.bin, "--instances", str(instances), "--tasks", str(100 * instances), "--ask"]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"{args.load} failed:\n{done.stdout}{done.stderr}")
        run = json.loads(done.stdout)
        figures[f"scale_{instances}_all_running_s"] = run["load_all_running_s"]
        figures[f"scale_{instances}_running_tasks_per_s"] = run["load_running_tasks_per_s"]
        figures[f"scale_{instances}_rss_mb"] = run["load_server_rss_mib"]
        figures[f"scale_{instances}_restart_s"] = run["load_restart_s"]
        figures[f"scale_{instances}_api_ms_p50_p99"] = run["load_api_ms_p50_p99"]
        slowest = max(run["load_api_ms_p50_p99"].values(), key=lambda p50_p99: p50_p99[0])
        figures[f"scale_{instances}_slowest_call_ms_p50"], figures[f"scale_{instances}_slowest_call_ms_p99"] = slowest
    return figures


def placement(args):
    """Placement alone, without a server: how many a second, and how good they are (crates/plan/examples)."""
    figures = {}
    for example in ("placements", "quality"):
        done = subprocess.run([args.examples / example, "--json"], capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"{example} failed:\n{done.stdout}{done.stderr}")
        figures.update(json.loads(done.stdout))
    return figures


def measure(args):
    figures = {"cores": os.cpu_count(), "time": int(time.time())}
    with longshore_server.Server(args.bin) as server:
        time.sleep(3)
        figures["daemon_idle_pss_mb"] = round(pss_kib(server.pid) / 1024, 1)
        launches(server, 3, 0.2)
        stamped, seen = launches(server, args.rounds, 0.1)
        figures["run_task_to_running_ms_p50"] = round(statistics.median(stamped), 1)
        figures["run_task_to_running_ms_p99"] = round(percentile(stamped, 0.99), 1)
        figures["run_task_to_running_seen_by_client_ms_p50"] = round(statistics.median(seen), 1)
        spaced, _ = launches(server, max(3, args.rounds // 5), 1.0)
        figures["run_task_to_running_spaced_1s_ms_p50"] = round(statistics.median(spaced), 1)
        took, shims = [], []
        for _ in range(args.services):
            seconds, pss = service(server)
            took.append(seconds)
            shims.extend(pss)
        figures["service_of_40_s"] = round(statistics.median(took), 3)
        figures["service_of_40_tasks_per_s"] = round(SERVICE / statistics.median(took), 1)
        if shims:
            figures["shim_pss_mb_per_task"] = round(statistics.mean(shims) / 1024, 2)
        figures["daemon_after_load_pss_mb"] = round(pss_kib(server.pid) / 1024, 1)
    figures.update(registries.measure(args.bin, args.peers))
    if args.load:
        figures.update(load(args))
        figures.update(standing(args))
        figures.update(growth(args))
    if args.examples:
        figures.update(placement(args))
    if args.peers:
        figures.update(docker_peer.measure(max(3, args.rounds // 5), SERVICE))
    return figures


ROWS = [
    ("RunTask → RUNNING, p50", "run_task_to_running_ms_p50", "ms", "docker_run_ms_p50", "docker run -d"),
    ("RunTask → RUNNING, p99", "run_task_to_running_ms_p99", "ms", None, None),
    ("  spaced 1 s apart, p50", "run_task_to_running_spaced_1s_ms_p50", "ms", None, None),
    ("  as a polling client sees it, p50", "run_task_to_running_seen_by_client_ms_p50", "ms", None, None),
    ("service of 40, all RUNNING", "service_of_40_s", "s", "swarm_service_of_40_s", "Docker Swarm"),
    ("  tasks a second", "service_of_40_tasks_per_s", "/s", None, None),
    ("shim, PSS a task", "shim_pss_mb_per_task", "MB", "docker_shim_pss_mb_per_task", "containerd-shim-runc-v2"),
    ("daemon idle, PSS", "daemon_idle_pss_mb", "MB", "docker_daemons_idle_pss_mb", "dockerd + containerd"),
    ("daemon after the load, PSS", "daemon_after_load_pss_mb", "MB", None, None),
    ("registry: push of one layer of 2 GB", "registry_push_mb_per_s", "MB/s", "docker_registry_push_mb_per_s",
     "docker-registry"),
    ("  pull of it", "registry_pull_mb_per_s", "MB/s", "docker_registry_pull_mb_per_s", "docker-registry"),
    ("  manifests pulled", "registry_requests_per_s", "/s", "docker_registry_requests_per_s", "docker-registry"),
    ("  server's largest RSS", "registry_peak_rss_mb", "MB", "docker_registry_peak_rss_mb", "docker-registry"),
    ("RunTask, durable, simulated agents", "load_acknowledged_tasks_per_s", "/s", None, None),
    ("  one call of ten tasks, p50", "load_call_ms_p50", "ms", None, None),
    ("  until all are RUNNING", "load_running_tasks_per_s", "/s", None, None),
    ("  server's processor time a task", "load_server_cpu_us_per_task", "µs", None, None),
    ("  load generator's", "load_generator_cpu_us_per_task", "µs", None, None),
    ("5,000 services, 100,000 tasks, still", "standing_core_percent", "% ", None, None),
    ("  memory", "standing_rss_mb", "MB", None, None),
    ("  change → its agent has it, p50", "standing_change_to_agent_ms_p50", "ms", None, None),
    ("  p99", "standing_change_to_agent_ms_p99", "ms", None, None),
]

for size in GROWTH:
    ROWS += [
        (f"{size:,} instances, {100 * size:,} tasks: RUNNING in", f"scale_{size}_all_running_s", "s", None, None),
        ("  tasks a second", f"scale_{size}_running_tasks_per_s", "/s", None, None),
        ("  server's memory", f"scale_{size}_rss_mb", "MB", None, None),
        ("  slowest operation then, p50", f"scale_{size}_slowest_call_ms_p50", "ms", None, None),
        ("  restart", f"scale_{size}_restart_s", "s", None, None),
    ]
# Instances, as crates/plan/examples/placements.rs has them.
for size in (1_000, 3_000, 10_000, 30_000):
    ROWS += [
        (f"placements, {size:,} instances, one call", f"placement_{size}_bulk_per_s", "/s", None, None),
        ("  in calls of 100", f"placement_{size}_calls_of_100_per_s", "/s", None, None),
        ("  in calls of 10", f"placement_{size}_calls_of_10_per_s", "/s", None, None),
    ]
# How much worse than the optimum: docs/performance.md, "Placement quality".
for name, scheme in (("memory", "binpack_memory"), ("cpu", "binpack_cpu"), ("zone, memory", "spread_zone_binpack_memory")):
    ROWS += [
        (f"less used, packed by {name}: calls", f"quality_{scheme}_call_used_mean", "%", None, None),
        ("  p95", f"quality_{scheme}_call_used_p95", "%", None, None),
        ("  that take an instance into use", f"quality_{scheme}_call_used_where_opening_mean", "%", None, None),
        ("  beside what ECS's words allow", f"quality_{scheme}_call_used_own_mean", "%", None, None),
        ("  batches of calls", f"quality_{scheme}_batch_used_mean", "%", None, None),
        ("  fewer of a batch placed", f"quality_{scheme}_batch_placed_mean", "%", None, None),
        ("  where not all have a place", f"quality_{scheme}_batch_placed_where_full_mean", "%", None, None),
    ]
for name, scheme in (("zones", "spread_zone"), ("instances", "spread_instance")):
    ROWS += [
        (f"less even over {name}: calls, worst", f"quality_{scheme}_call_spread_worst", "%", None, None),
        ("  batches of calls", f"quality_{scheme}_batch_spread_mean", "%", None, None),
        ("  fewer of a batch placed", f"quality_{scheme}_batch_placed_mean", "%", None, None),
        ("  where not all have a place", f"quality_{scheme}_batch_placed_where_full_mean", "%", None, None),
    ]

# What a figure must reach where it isn't set against a peer: at least, or at most.
MARKS = {
    "load_acknowledged_tasks_per_s": "≥ 10000",
    "standing_core_percent": "≤ 2",
    "standing_change_to_agent_ms_p50": "≤ 5",
    "registry_peak_rss_mb": "< 100",
    "scale_10000_all_running_s": "< 300",
    "scale_10000_rss_mb": "< 4096",
}
MARKS.update((key, "≥ 100000") for _, key, *_ in ROWS if key.startswith("placement_10000_"))
MARKS.update((key, "≤ 2") for _, key, *_ in ROWS if key.startswith("quality_"))


def table(figures):
    for name, key, unit, peer_key, peer in ROWS:
        if key not in figures:
            continue
        line = f"{name:<38}{figures[key]:>10} {unit:<3}"
        theirs = figures.get(peer_key) if peer_key else None
        if theirs:
            # Of what comes a second more is better, of all else less.
            ratio = figures[key] / theirs if unit.endswith("/s") else theirs / figures[key]
            line += f"   {peer}: {theirs} {unit} ({ratio:.1f}×)"
        if key in MARKS:
            line += f"   mark: {MARKS[key]} {unit}"
        print(line)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", type=Path, required=True, help="folder with longshore and its shim")
    parser.add_argument("--out", type=Path, default=Path("target/bench.json"))
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--services", type=int, default=3)
    parser.add_argument("--load", type=Path, help="the load generator (tests/load); without it that part is left out")
    parser.add_argument("--examples", type=Path, help="folder with plan's examples; without it that part is left out")
    parser.add_argument("--no-peers", dest="peers", action="store_false")
    args = parser.parse_args()
    figures = measure(args)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(figures, indent=2) + "\n")
    table(figures)
    print(f"written to {args.out}")


if __name__ == "__main__":
    main()
