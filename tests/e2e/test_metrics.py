"""/healthz and /metrics: for machines that watch."""

import re

from support import raw


def test_healthz(server):
    assert server.get("/healthz")[0] == 200


def test_metrics_are_openmetrics_and_count(server, account, stage):
    stage.finish("true")
    raw.call(account, "ListClusters", key="AKIAIOSFODNN7EXAMPLE")
    text = server.get("/metrics")[1]
    assert text.rstrip().endswith("# EOF")
    for line in text.splitlines():
        assert line.startswith("#") or re.fullmatch(r'[a-z_]+(\{[^}]*\})? [-+0-9.eEinfNa]+( # .*)?', line), line
    def value(name, **labels):
        total = 0.0
        for line in text.splitlines():
            if line.startswith(name + "{") and all(f'{k}="{v}"' in line for k, v in labels.items()):
                total += float(line.rsplit(" ", 1)[1])
        return total
    assert value("longshore_api_calls_total", operation="RunTask", status="200") >= 1
    assert value("longshore_api_calls_total", operation="ListClusters", status="400") >= 1
    assert value("longshore_tasks", status="STOPPED") >= 1
    assert re.search(r"^longshore_commits_total \d", text, re.M)


def test_secrets_are_in_neither_metrics_nor_logs(server, account):
    secret = account.environment["AWS_SECRET_ACCESS_KEY"]
    password = account.password()
    told = server.get("/metrics")[1] + server.output.read_text(errors="replace")
    assert secret not in told and password not in told
