"""awslogs: every line arrives, in order, whatever becomes of the task."""

import os
import re
import subprocess
import time

import pytest
from support.aws import refused
from support.server import ROOT
from support.waiting import wait_until


def test_the_line_of_a_task_that_dies_at_once(stage):
    for code in range(3):
        task = stage.finish(f"echo last words; exit {code}", logged=True)
        assert stage.lines(task) == ["last words"]


def test_a_last_line_without_its_end(stage):
    assert stage.output("printf 'no newline'") == ["no newline"]


def test_both_outputs_arrive(stage):
    assert sorted(stage.output("echo out; echo err >&2")) == ["err", "out"]


def test_lines_are_kept_as_they_are(stage):
    assert stage.output(r"printf '  spaced  \n\tünïcode\n'; printf 'a\r\n'")[:2] == ["  spaced  ", "\tünïcode"]


@pytest.mark.long
def test_a_burst_of_100_megabytes_is_complete(stage):
    """1,000,000 lines of 100 bytes, and the task dies right after the last."""
    count = 1_000_000
    script = f"awk 'BEGIN {{ for (i = 1; i <= {count}; i++) printf \"%099d\\n\", i }}'"
    task = stage.finish(script, logged=True, memory="2048", cpu="1024")
    assert task["containers"][0]["exitCode"] == 0
    # The task's end isn't held up until the last of a long backlog has been sent.
    wait_until(lambda: newest(stage, task).lstrip("0") == str(count), "the last line", every=0.5)
    lines = stage.lines(task)
    assert len(lines) == count
    assert all(int(line) == number for number, line in enumerate(lines, 1)), "in order, none twice"


def newest(stage, task):
    events = stage.logs.get_log_events(logGroupName=stage.group, logStreamName=stage.stream(task), limit=1)["events"]
    return events[0]["message"] if events else ""


def test_a_line_longer_than_an_event(stage):
    """CloudWatch's events hold 256 KiB: a longer line comes in pieces, complete."""
    lines = stage.output("head -c 700000 /dev/zero | tr '\\0' x; echo")
    assert len(lines) > 1 and "".join(lines) == "x" * 700_000


def test_follow(stage):
    """What `aws logs tail --follow` does: filter_log_events again and again, from the last time stamp."""
    arn = stage.run_script("for i in 1 2 3 4 5; do echo line $i; sleep 0.5; done; sleep 600", logged=True)
    seen, since = {}, [0]

    def look():
        try:
            pages = stage.logs.get_paginator("filter_log_events").paginate(logGroupName=stage.group,
                                                                           startTime=since[0], interleaved=True)
            for page in pages:
                for event in page["events"]:
                    seen[event["eventId"]] = event["message"]
                    since[0] = max(since[0], event["timestamp"])
        except stage.logs.exceptions.ResourceNotFoundException:
            pass
        return len(seen) == 5
    wait_until(look, "five lines while it runs", every=0.2)
    assert list(seen.values()) == [f"line {n}" for n in range(1, 6)]
    assert stage.task(arn)["lastStatus"] == "RUNNING"


def test_aws_logs_tail(stage, account):
    stage.finish("echo the view of the cli", logged=True)
    done = subprocess.run([ROOT / "target/venv/bin/aws", "logs", "filter-log-events", "--log-group-name", stage.group,
                           "--query", "events[].message", "--output", "text"], capture_output=True, text=True,
                          env={"PATH": os.environ["PATH"], **account.environment}, timeout=120)
    assert done.stdout.strip() == "the view of the cli", done.stderr


def test_names_of_groups_and_streams(stage):
    task = stage.finish("echo x", logged=True)
    groups = stage.logs.describe_log_groups(logGroupNamePrefix=stage.group)["logGroups"]
    assert [group["logGroupName"] for group in groups] == [stage.group]
    streams = stage.logs.describe_log_streams(logGroupName=stage.group)["logStreams"]
    assert [stream["logStreamName"] for stream in streams] == [stage.stream(task)]
    assert re.fullmatch(r"t/app/[0-9a-f]{32}", streams[0]["logStreamName"])
    stage.logs.delete_log_group(logGroupName=stage.group)
    refused(lambda: stage.lines(task), "ResourceNotFoundException")


def test_a_group_that_is_missing_fails_the_start(stage):
    container = stage.container("echo x", logged=True)
    del container["logConfiguration"]["options"]["awslogs-create-group"]
    task = stage.wait(stage.run(stage.register(container)))
    assert task["stopCode"] == "TaskFailedToStart"
    assert task["stoppedReason"].startswith("ResourceInitializationError: ")
    assert "log group" in task["stoppedReason"]


def test_filter_patterns(stage):
    stage.finish("echo GET /a 200; echo GET /b 500; echo POST /a 500", logged=True)
    def matching(pattern):
        found = stage.logs.filter_log_events(logGroupName=stage.group, filterPattern=pattern)["events"]
        return [event["message"] for event in found]
    assert matching("GET") == ["GET /a 200", "GET /b 500"]
    assert matching("GET 500") == ["GET /b 500"]
    assert matching('"/a 500"') == ["POST /a 500"]
    assert matching("-GET") == ["POST /a 500"]
    assert matching("?200 ?POST") == ["GET /a 200", "POST /a 500"]


def test_filter_patterns_over_json_and_columns(stage):
    stage.finish("""echo '{"level": "error", "took": 12.5}'; echo '{"level": "info", "took": 900}'
                    echo '10.0.0.1 - ann [now] "GET /a HTTP/1.1" 404 99'""", logged=True)
    def matching(pattern):
        found = stage.logs.filter_log_events(logGroupName=stage.group, filterPattern=pattern)["events"]
        return [event["message"][:18] for event in found]
    assert matching("{ $.level = err* || $.took > 1e3 }") == ['{"level": "error",']
    assert matching("[ip, ..., status = 4*, bytes < 100]") == ["10.0.0.1 - ann [no"]
    refused(lambda: matching("{ $.level == error }"), "InvalidParameterException", "Invalid filter pattern")


def test_a_metric_filter_is_tried(stage):
    matches = stage.logs.test_metric_filter(filterPattern="[ip, took > 10]",
                                            logEventMessages=["a 9", "b 11"])["matches"]
    assert [match["extractedValues"] for match in matches] == [{"$ip": "b", "$took": "11"}]


def test_live_tail(stage, account):
    """Both clients that have it. A name of ours can't be had below an address, hence no host prefix."""
    logs = account.client("logs", inject_host_prefix=False)
    logs.create_log_group(logGroupName=stage.group)
    logs.create_log_stream(logGroupName=stage.group, logStreamName="s")
    arn = f"arn:aws:logs:{account.region}:{account.account_id()}:log-group:{stage.group}"
    session = logs.start_live_tail(logGroupIdentifiers=[arn], logEventFilterPattern="-unwanted")
    messages = iter(session["responseStream"])
    assert next(messages)["sessionStart"]["logGroupIdentifiers"] == [arn]

    def put(*lines):
        now = int(time.time() * 1000)
        logs.put_log_events(logGroupName=stage.group, logStreamName="s",
                            logEvents=[{"timestamp": now, "message": line} for line in lines])
    put("one", "unwanted", "two")
    seen = []
    while len(seen) < 2:
        update = next(messages)["sessionUpdate"]
        assert update["sessionMetadata"] == {"sampled": False}
        seen += [(event["logStreamName"], event["message"]) for event in update["sessionResults"]]
    assert seen == [("s", "one"), ("s", "two")]
    session["responseStream"].close()

    environment = {"PATH": os.environ["PATH"], "PYTHONUNBUFFERED": "1", **account.environment}
    with subprocess.Popen([ROOT / "target/venv/bin/aws", "logs", "start-live-tail", "--log-group-identifiers", arn],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=0, env=environment) as cli:
        os.set_blocking(cli.stdout.fileno(), False)
        shown = []

        def look():
            # It shows what comes after it has connected, whenever that is.
            put("for the command line")
            # Nothing to read yet: None.
            shown.append(cli.stdout.read(1 << 20) or b"")
            assert cli.poll() is None, shown
            return b"for the command line" in b"".join(shown)
        try:
            wait_until(look, "a line in `aws logs start-live-tail`", every=0.5)
        finally:
            cli.kill()


def test_the_api_as_any_client_uses_it(stage):
    logs = stage.logs
    logs.create_log_group(logGroupName=stage.group)
    refused(lambda: logs.create_log_group(logGroupName=stage.group), "ResourceAlreadyExistsException")
    logs.create_log_stream(logGroupName=stage.group, logStreamName="s")
    now = int(time.time() * 1000)
    answer = logs.put_log_events(logGroupName=stage.group, logStreamName="s",
                                 logEvents=[{"timestamp": now + n, "message": f"m{n}"} for n in range(10)])
    assert "rejectedLogEventsInfo" not in answer
    old = logs.put_log_events(logGroupName=stage.group, logStreamName="s",
                              logEvents=[{"timestamp": now - 15 * 86_400_000, "message": "too old"}])
    assert old["rejectedLogEventsInfo"]["tooOldLogEventEndIndex"] == 1
    page = logs.get_log_events(logGroupName=stage.group, logStreamName="s", limit=3, startFromHead=True)
    assert [event["message"] for event in page["events"]] == ["m0", "m1", "m2"]
    page = logs.get_log_events(logGroupName=stage.group, logStreamName="s", limit=3,
                               nextToken=page["nextForwardToken"])
    assert [event["message"] for event in page["events"]] == ["m3", "m4", "m5"]
    newest = logs.get_log_events(logGroupName=stage.group, logStreamName="s", limit=2)
    assert [event["message"] for event in newest["events"]] == ["m8", "m9"]
    refused(lambda: logs.put_log_events(logGroupName=stage.group, logStreamName="none",
                                        logEvents=[{"timestamp": now, "message": "x"}]), "ResourceNotFoundException")


def test_many_tasks_write_at_once(stage):
    definition = stage.register(stage.container("for i in $(seq 200); do echo line $i; done", logged=True))
    arns = stage.run(definition, count=10)
    expected = [f"line {n}" for n in range(1, 201)]
    assert all(stage.lines(stage.wait(arn)) == expected for arn in arns)
