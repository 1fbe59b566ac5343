"""AWS Query's answers, letter by letter: botocore's parser doesn't mind what it doesn't know."""

import xml.etree.ElementTree as ElementTree

from kit import shapes

NAMESPACE = "{https://sts.amazonaws.com/doc/2011-06-15/}"


def test_get_caller_identity(caller, account):
    answer, content = caller.send("sts", b"Action=GetCallerIdentity&Version=2011-06-15", {
        "Content-Type": "application/x-www-form-urlencoded; charset=utf-8"})
    assert answer.status == 200 and answer.headers["Content-Type"].split(";")[0] == "text/xml"
    root = ElementTree.fromstring(content)
    assert root.tag == f"{NAMESPACE}GetCallerIdentityResponse"
    result, metadata = root
    assert result.tag == f"{NAMESPACE}GetCallerIdentityResult"
    members = {element.tag.removeprefix(NAMESPACE): element.text for element in result}
    assert shapes.findings(shapes.operation("sts", "GetCallerIdentity").output_shape, members) == []
    assert members["Account"] == account.account_id()
    assert metadata.tag == f"{NAMESPACE}ResponseMetadata"
    assert [element.tag for element in metadata] == [f"{NAMESPACE}RequestId"]
    assert metadata[0].text == answer.headers["x-amzn-requestid"]
