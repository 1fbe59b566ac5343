"""top, explain, completion and the log file: what people look at."""

import json
import os
import pty
import select
import subprocess
import termios

from support import image
from support.server import bin_dir
from support.waiting import wait_until

MIB = 1024 * 1024


def rows(server, stage, *flags):
    return json.loads(server.run("top", "--cluster", stage.cluster, "--json", *flags).stdout)


def test_top_tells_the_truth(server, stage):
    """A busy loop on a quarter of a processor, and a program that holds 24 MiB."""
    busy = stage.run(stage.register(stage.container("while :; do :; done"), family=f"{stage.name}-busy"))
    hog = stage.run(stage.register(stage.container(
        "x=$(dd if=/dev/zero bs=1048576 count=24 2>/dev/null | tr '\\0' 'x'); sleep 600; echo $x", memory=256),
        family=f"{stage.name}-hog"))

    def known():
        seen = {row["taskArn"]: row for row in rows(server, stage)}
        there = seen.get(busy, {}).get("cpuPercent"), seen.get(hog, {}).get("memoryMib")
        # The first reports may hold the time before the loop began and the memory was taken.
        return None not in there and there[0] > 2 and there[1] > 24 and seen
    seen = wait_until(known, "both tasks to be told of")
    loop, held = seen[busy], seen[hog]
    # The quota holds the loop at a quarter of a core, all of its limit; a loaded machine gives it less.
    assert loop["cpuPercent"] < 35 and abs(loop["cpuPercentOfLimit"] - 4 * loop["cpuPercent"]) < 0.01, loop
    assert loop["memoryMib"] < 20 and loop["memoryLimitMib"] == 512, loop
    assert 24 < held["memoryMib"] < 128, held
    assert loop["status"] == "RUNNING"
    by_memory = [row["taskArn"] for row in rows(server, stage, "--sort", "memory")]
    assert by_memory == [hog, busy]
    containers = [row for row in rows(server, stage, "--containers") if row["container"]]
    assert [(row["container"], row["memoryLimitMib"]) for row in containers if row["taskArn"] == hog] == [("app", 256)]
    table = server.run("top", "--cluster", stage.cluster).stdout
    assert table.split()[0] == "TASK" and busy.rsplit("/", 1)[1][:12] in table
    assert server.run("top", "--all-clusters", "--once").stdout.count("\n") >= 3


def test_top_on_a_terminal(server, stage):
    """The other screen, keys at once, and everything put back at the end."""
    arn = stage.run(stage.register(stage.container("sleep 600")))
    short = arn.rsplit("/", 1)[1][:12]
    ours, theirs = pty.openpty()
    try:
        termios.tcsetwinsize(theirs, (12, 100))
        before = termios.tcgetattr(theirs)
        top = subprocess.Popen(server.command("top", "--cluster", stage.cluster), stdin=theirs, stdout=theirs,
                               stderr=theirs, start_new_session=True)
        seen = ""

        def shows(*words):
            nonlocal seen
            while select.select([ours], [], [], 0)[0]:
                seen += os.read(ours, 65536).decode()
            screen = seen.rsplit("\x1b[H", 1)[-1]
            return all(word in screen for word in words)
        wait_until(lambda: shows(short, "by cpu", "q quit", "\x1b[J"), "the task to be on the screen")
        assert "└ app" not in seen
        os.write(ours, b"tn")
        wait_until(lambda: shows(short, "└ app", "by name", "\x1b[J"), "the keys to have their effect")
        os.write(ours, b"q")
        wait_until(lambda: shows("\x1b[?1049l"), "the first screen to come back")
        assert top.wait(timeout=60) == 0
        assert termios.tcgetattr(theirs) == before
    finally:
        os.close(theirs)
        os.close(ours)


def test_usage_is_for_who_signs(server, account):
    import urllib.error
    import urllib.request
    request = urllib.request.Request(server.url + "/longshore/usage", data=b"{}", method="POST")
    try:
        urllib.request.urlopen(request, timeout=60)
        raise AssertionError("an answer without a signature")
    except urllib.error.HTTPError as refused:
        assert refused.code == 403


def test_explain_a_task_that_failed(server, stage):
    task = stage.finish("echo one; echo two; exit 3", logged=True)
    told = server.run("explain", task["taskArn"]).stdout
    for words in ("STOPPED since", "exit code 3", "Essential container in task exited", "| two", "RunTask",
                  "created and placed (PROVISIONING)", "sha256:", "(RUNNING)"):
        assert words in told, (words, told)
    story = json.loads(server.run("explain", task["taskArn"].rsplit("/", 1)[1][:10], "--cluster", stage.cluster,
                                  "--json").stdout)
    times = [step["at_ms"] for step in story["steps"]]
    assert len(times) >= 5 and times == sorted(times)


def test_explain_an_image_that_is_not_there(server, stage, account):
    repository = stage.account.repository()
    account.push(image.busybox(), repository, tag="v1")
    missing = f"{account.account_id()}.dkr.ecr.{account.region}.amazonaws.com/{repository}:v2"
    name = stage.create_service(stage.register({"name": "app", "image": missing, "essential": True}), 1)
    stopped = wait_until(lambda: stage.tasks_of(name, "STOPPED"), "a task that failed")
    told = server.run("explain", stopped[0]["taskArn"]).stdout
    assert "CannotPullContainerError" in told and f"the repository {repository} has v1" in told, told
    assert f"the service {name}" in told
    told = server.run("explain", name, "--cluster", stage.cluster).stdout
    assert "not steady" in told and "CannotPullContainerError" in told and "has v1" in told, told


def test_who_is_not_found_is_looked_for(server, stage):
    arn = stage.wait_running(stage.run_script("exec sleep 600"))["taskArn"]
    elsewhere = server.run("explain", arn.rsplit("/", 1)[1], check=False)
    assert elsewhere.returncode == 1 and f"--cluster {stage.cluster}" in elsewhere.stderr
    nobody = server.run("explain", "no-such-thing", check=False)
    assert nobody.returncode == 1 and "ps --all" in nobody.stderr


def test_completion_knows_what_the_server_has(server, stage):
    arn = stage.wait_running(stage.run_script("exec sleep 600"))["taskArn"]
    for shell in ("bash", "zsh", "fish"):
        assert "COMPLETE" in server.run("completion", shell).stdout
    words = ["longshore", *server.flags(), "explain", "--cluster", stage.cluster, arn.rsplit("/", 1)[1][:4]]
    environment = {**os.environ, "COMPLETE": "bash", "_CLAP_COMPLETE_INDEX": str(len(words) - 1),
                   "_CLAP_COMPLETE_COMP_TYPE": "9", "_CLAP_COMPLETE_SPACE": "true", "_CLAP_IFS": "\n"}
    done = subprocess.run([bin_dir() / "longshore", "--", *words], capture_output=True, text=True, timeout=60,
                          env=environment)
    assert done.stdout.split() == [arn.rsplit("/", 1)[1][:12]], done


def test_the_log_is_bounded_and_goes_on(own_server):
    """Rotated while it runs, and opened again by the next `up`."""
    for oldest in ("longshore.log.2", "longshore.log.4"):
        own_server.run("up", "--no-sample", "--log-size", "4KiB", env={**os.environ, "LONGSHORE_LOG": "trace"})
        own_server.prefix = own_server.find_prefix()
        path = own_server.data_dir / oldest
        wait_until(lambda: own_server.run("ps") and path.exists(), f"{oldest} to be there")
        own_server.run("down")
    files = sorted(own_server.data_dir.glob("longshore.log*"))
    assert [file.name for file in files] == ["longshore.log"] + [f"longshore.log.{n}" for n in range(1, 5)]
    for file in files:
        lines = file.read_text().splitlines()
        assert all(json.loads(line)["level"] for line in lines), "whole lines only"
        assert file.stat().st_size <= 4096 or len(lines) == 1
