"""Writes vectors.json: requests that botocore signs, for the tests of wire::sigv4.

    python3 -m pip install botocore==1.44.5
    python3 crates/wire/tests/sigv4/generate.py

The clock is fixed, so the same botocore gives the same bytes. vectors.json is checked in; tests
never run this.
"""

import datetime
import json
import pathlib
from urllib.parse import urlsplit

import botocore
import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

assert botocore.__version__ == "1.44.5", botocore.__version__

NOW = datetime.datetime(2026, 11, 23, 11, 49, 32)
botocore.auth.get_current_datetime = lambda *args, **kwargs: NOW

HOST = "127.0.0.1:4580"
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
TOKEN = "IQoJb3JpZ2luX2VjE//+token=with/odd+characters=="
TARGET = "AmazonEC2ContainerServiceV20141113."
JSON = {"Content-Type": "application/x-amz-json-1.1"}
FORM = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}


def case(name, method="POST", path="/", headers=(), body="", service="ecs", region="us-east-1",
         token=None, expires=None):
    request = AWSRequest(method=method, url=f"http://{HOST}{path}", data=body.encode())
    for key, value in headers.items() if isinstance(headers, dict) else headers:
        request.headers.add_header(key, value)
    request.headers["Host"] = HOST
    credentials = Credentials("AKIDEXAMPLE", SECRET, token)
    if expires is None:
        botocore.auth.SigV4Auth(credentials, service, region).add_auth(request)
    else:
        botocore.auth.SigV4QueryAuth(credentials, service, region, expires).add_auth(request)
    url = urlsplit(request.url)
    return {
        "name": name,
        "method": method,
        "path": url.path,
        "query": url.query,
        "headers": [[key, str(value)] for key, value in request.headers.items()],
        "body": request.data.decode() if isinstance(request.data, bytes) else request.data,
        "now_ms": int(NOW.replace(tzinfo=datetime.timezone.utc).timestamp() * 1000),
        "secret": SECRET,
        "token": token,
        "service": service,
        "region": region,
    }


def target(operation, **more):
    return {**JSON, "X-Amz-Target": TARGET + operation, **more}


CASES = [
    case("json", headers=target("ListClusters"), body="{}"),
    case("json with a body", headers=target("RunTask"),
         body='{"cluster": "default", "taskDefinition": "web:1", "count": 2}'),
    case("unicode body", headers=target("CreateCluster"), body='{"clusterName": "größe-客户"}'),
    case("session token", headers=target("ListTasks"), body="{}", token=TOKEN),
    case("other region", headers=target("ListTasks"), body="{}", region="ap-southeast-2"),
    case("query protocol", headers=FORM, service="sts",
         body="Action=GetCallerIdentity&Version=2011-06-15"),
    case("query protocol by GET", method="GET", service="sts",
         path="/?Action=GetCallerIdentity&Version=2011-06-15"),
    case("spaces in header values",
         headers=target("ListTasks", **{"X-Amz-Note": "  a   b  c  ", "X-Odd": "d\te"}), body="{}"),
    case("empty header value", headers=target("ListTasks", **{"X-Amz-Empty": ""}), body="{}"),
    case("repeated header", body="{}",
         headers=[*target("ListTasks").items(), ("X-Many", "z"), ("X-Many", "a")]),
    case("header that is not signed", body="{}",
         headers=target("ListTasks", **{"User-Agent": "aws-cli/2", "Expect": "100-continue"})),
    case("signed hash of the body", body="{}", headers=target(
        "ListTasks",
        **{"X-Amz-Content-SHA256": "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"})),
    case("unsigned body", body="{}",
         headers=target("ListTasks", **{"X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD"})),
    case("ARN in the path", method="GET",
         path="/v1/tags/arn%3Aaws%3Aecs%3Aus-east-1%3A000000000000%3Acluster%2Fdefault"),
    case("bare ARN in the path", method="GET",
         path="/v1/tags/arn:aws:ecs:us-east-1:000000000000:cluster/default"),
    case("unicode in the path", method="GET", path="/%E5%AE%A2%E6%88%B7/gr%C3%B6%C3%9Fe"),
    case("dots and slashes in the path", method="GET", path="/a/./b//c/../d/"),
    case("tilde, star and plus in the path", method="GET", path="/~a/*b/c+d/e%20f"),
    case("query is sorted", method="GET", path="/acs/ws?b=2&a=1&B=3&a=0&empty="),
    case("query with odd values", method="GET",
         path="/acs/ws?clusterArn=arn%3Aaws%3Aecs%3Aus-east-1%3A000000000000%3Acluster%2Fdefault"
              "&dockerVersion=DockerVersion%3A%2020.10.24%2Bdfsg1&tilde=~"),
    case("websocket with a token", method="GET", token=TOKEN,
         path="/acs/ws?agentVersion=1.105.1&seqNum=1&sendCredentials=true"),
    case("presigned", method="GET", service="sts", expires=60,
         path="/?Action=GetCallerIdentity&Version=2011-06-15"),
    case("presigned with a token", method="GET", service="sts", expires=604800, token=TOKEN,
         path="/?Action=GetCallerIdentity&Version=2011-06-15"),
    case("presigned with a header", method="GET", service="sts", expires=900,
         headers={"x-k8s-aws-id": "cluster-1"},
         path="/?Action=GetCallerIdentity&Version=2011-06-15"),
    case("presigned path", method="GET", expires=900, path="/a%20b/%E5%AE%A2?z=%2F&y=1"),
]

out = pathlib.Path(__file__).with_name("vectors.json")
out.write_text(json.dumps(CASES, indent=1, ensure_ascii=False) + "\n")
