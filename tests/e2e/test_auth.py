"""Who may call: AWS's codes and texts, and nothing done where a signature doesn't hold."""

import boto3
import botocore.exceptions
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from support import raw
from support.aws import unique


@pytest.fixture
def name(account):
    """The name of a cluster that no refused call may have made."""
    name = unique("refused")
    yield name
    assert account.ecs.describe_clusters(clusters=[name])["clusters"] == []


def create(account, name, **options):
    return raw.call(account, "CreateCluster", f'{{"clusterName":"{name}"}}', **options)


def test_a_good_signature_passes(account):
    assert raw.call(account, "ListClusters").status == 200


def test_unknown_key(account, name):
    answer = create(account, name, key="AKIAIOSFODNN7EXAMPLE")
    assert (answer.status, answer.code) == (400, "UnrecognizedClientException")
    assert answer.message == "The security token included in the request is invalid."


def test_wrong_secret(account, name):
    answer = create(account, name, secret="wrong")
    assert (answer.status, answer.code) == (400, "InvalidSignatureException")
    assert answer.message.startswith("The request signature we calculated does not match the signature you provided.")


def test_tampered_body(account, name):
    headers, _ = raw.sign(account, "CreateCluster", '{"clusterName":"honest"}')
    answer = raw.send(account, headers, f'{{"clusterName":"{name}"}}')
    assert (answer.status, answer.code) == (400, "InvalidSignatureException")


def test_tampered_target(account, name):
    headers, body = raw.sign(account, "DescribeClusters", f'{{"clusterName":"{name}"}}')
    headers["X-Amz-Target"] = f"{raw.ECS}.CreateCluster"
    answer = raw.send(account, headers, body)
    assert (answer.status, answer.code) == (400, "InvalidSignatureException")


def test_tampered_signature(account, name):
    headers, body = raw.sign(account, "CreateCluster", f'{{"clusterName":"{name}"}}')
    start, signature = headers["Authorization"].rsplit("=", 1)
    flipped = ("0" if signature[0] != "0" else "1") + signature[1:]
    answer = raw.send(account, {**headers, "Authorization": f"{start}={flipped}"}, body)
    assert (answer.status, answer.code) == (400, "InvalidSignatureException")


@pytest.mark.parametrize("skew_s, words", [(-16 * 60, "Signature expired: "), (16 * 60, "Signature not yet current: ")])
def test_skew_beyond_a_quarter_of_an_hour(account, name, skew_s, words):
    answer = create(account, name, skew_s=skew_s)
    assert (answer.status, answer.code) == (400, "InvalidSignatureException")
    assert answer.message.startswith(words)


@pytest.mark.parametrize("skew_s", [-14 * 60, 14 * 60])
def test_skew_within_a_quarter_of_an_hour(account, skew_s):
    assert raw.call(account, "ListClusters", skew_s=skew_s).status == 200


def test_no_signature(account, name):
    headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": f"{raw.ECS}.CreateCluster"}
    answer = raw.send(account, headers, f'{{"clusterName":"{name}"}}')
    assert (answer.status, answer.code) == (400, "MissingAuthenticationTokenException")
    assert answer.message == "Missing Authentication Token"


def test_unreadable_signature(account, name):
    headers, body = raw.sign(account, "CreateCluster", f'{{"clusterName":"{name}"}}')
    answer = raw.send(account, {**headers, "Authorization": "AWS4-HMAC-SHA256 Credential=half"}, body)
    assert (answer.status, answer.code) == (400, "IncompleteSignatureException")


def test_session_token_that_the_key_has_not(account, name):
    answer = create(account, name, token="invented")
    assert (answer.status, answer.code) == (400, "UnrecognizedClientException")


def test_scope_of_another_service(account, name):
    answer = create(account, name, service="ecr")
    assert (answer.status, answer.code) == (400, "InvalidSignatureException")
    assert "ecs" in answer.message


def test_sts_speaks_query(account):
    wrong = account.client("sts", secret="wrong")
    with pytest.raises(botocore.exceptions.ClientError) as raised:
        wrong.get_caller_identity()
    told = raised.value.response
    assert (told["ResponseMetadata"]["HTTPStatusCode"], told["Error"]["Code"]) == (403, "SignatureDoesNotMatch")
    nobody = boto3.client("sts", region_name="us-east-1", endpoint_url=account.server.url,
                          config=Config(signature_version=UNSIGNED))
    with pytest.raises(botocore.exceptions.ClientError) as raised:
        nobody.get_caller_identity()
    assert raised.value.response["Error"]["Code"] == "MissingAuthenticationToken"
    who = account.sts.get_caller_identity()
    assert who["Account"] == "000000000000" and who["Arn"].startswith("arn:aws:")


def test_a_region_is_a_world_of_its_own(account):
    name = unique("elsewhere")
    account.client("ecs", region="eu-west-1").create_cluster(clusterName=name)
    assert account.ecs.describe_clusters(clusters=[name])["clusters"] == []
    found = account.client("ecs", region="eu-west-1").describe_clusters(clusters=[name])["clusters"]
    assert ":eu-west-1:" in found[0]["clusterArn"]
