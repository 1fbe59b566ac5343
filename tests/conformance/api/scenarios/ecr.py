import contextlib
import json

from kit.distribution import INDEX, MANIFEST, descriptor, digest, fresh
from support.aws import refused, unique
from support.waiting import wait_until

TAGS = [{"Key": "team", "Value": "harbour"}]


def arn(scene, repository):
    return scene.ecr.describe_repositories(repositoryNames=[repository])["repositories"][0]["repositoryArn"]


def create_repository(scene):
    scene.repository(tags=TAGS, imageTagMutability="IMMUTABLE", imageScanningConfiguration={"scanOnPush": True})


def describe_repositories(scene):
    for _ in range(2):
        name = scene.repository()
    found, = scene.ecr.describe_repositories(repositoryNames=[name])["repositories"]
    assert found["repositoryUri"] == f"{scene.account.server.host}/{name}"
    assert scene.ecr.describe_repositories(maxResults=1)["nextToken"]


def delete_repository(scene):
    name, _ = scene.pushed()
    assert scene.ecr.delete_repository(repositoryName=name, force=True)["repository"]["repositoryName"] == name


def get_authorization_token(scene):
    data, = scene.ecr.get_authorization_token()["authorizationData"]
    assert data["proxyEndpoint"] == scene.account.server.url


def list_images(scene):
    name, content = scene.pushed()
    assert scene.ecr.list_images(repositoryName=name)["imageIds"] == [{
        "imageDigest": digest(content), "imageTag": "v1"}]
    scene.registry().push_image(name)
    untagged = scene.ecr.list_images(repositoryName=name, filter={"tagStatus": "UNTAGGED"})["imageIds"]
    assert len(untagged) == 1 and "imageTag" not in untagged[0]
    assert scene.ecr.list_images(repositoryName=name, maxResults=1)["nextToken"]


def describe_images(scene):
    name, content = scene.pushed()
    registry = scene.registry()
    registry.get(f"/v2/{name}/manifests/v1")
    index = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [descriptor(content, MANIFEST)]}).encode()
    assert registry.put_manifest(name, "multi", index, INDEX).status == 201
    signature = registry.artifact(name, descriptor(content, MANIFEST), "application/vnd.example.signature")
    assert registry.put_manifest(name, digest(signature), signature).status == 201
    assert len(scene.ecr.describe_images(repositoryName=name)["imageDetails"]) >= 2
    scene.ecr.describe_images(repositoryName=name, imageIds=[{"imageTag": "v1"}])


def list_image_referrers(scene):
    name, content = scene.pushed()
    registry = scene.registry()
    for kind in ("sbom", "signature", "signature"):
        artifact = registry.artifact(name, descriptor(content, MANIFEST), f"application/vnd.example.{kind}")
        assert registry.put_manifest(name, digest(artifact), artifact).status == 201
    subject = {"repositoryName": name, "subjectId": {"imageDigest": digest(content)}}
    page = scene.ecr.list_image_referrers(**subject, maxResults=2)
    rest = scene.ecr.list_image_referrers(**subject, maxResults=2, nextToken=page["nextToken"])
    assert len(page["referrers"] + rest["referrers"]) == 3 and "nextToken" not in rest
    found, = scene.ecr.list_image_referrers(
        **subject, filter={"artifactTypes": ["application/vnd.example.sbom"]})["referrers"]
    assert found["artifactType"] == "application/vnd.example.sbom"


def batch_get_image(scene):
    name, content = scene.pushed()
    answer = scene.ecr.batch_get_image(repositoryName=name, imageIds=[
        {"imageTag": "v1"}, {"imageDigest": digest(content)}, {"imageTag": "none"},
        {"imageDigest": digest(b"none")}, {"imageTag": "v1", "imageDigest": digest(b"none")}, {}])
    assert answer["images"][0]["imageManifest"] == content.decode()
    assert len(answer["failures"]) >= 3


def batch_delete_image(scene):
    name, content = scene.pushed()
    answer = scene.ecr.batch_delete_image(repositoryName=name, imageIds=[
        {"imageDigest": digest(content)}, {"imageTag": "none"}, {}])
    assert answer["imageIds"] and answer["failures"]


def put_image(scene):
    name, content = scene.pushed()
    answer = scene.ecr.put_image(repositoryName=name, imageManifest=content.decode(), imageTag="again",
                                 imageManifestMediaType=MANIFEST)
    assert answer["image"]["imageId"] == {"imageDigest": digest(content), "imageTag": "again"}


def put_image_tag_mutability(scene):
    scene.ecr.put_image_tag_mutability(repositoryName=scene.repository(), imageTagMutability="IMMUTABLE")


def put_image_scanning_configuration(scene):
    scene.ecr.put_image_scanning_configuration(
        repositoryName=scene.repository(), imageScanningConfiguration={"scanOnPush": True})


def layer_of(content):
    return json.loads(content)["layers"][0]["digest"]


def batch_check_layer_availability(scene):
    name, content = scene.pushed()
    answer = scene.ecr.batch_check_layer_availability(
        repositoryName=name, layerDigests=[layer_of(content), digest(b"none"), "no digest"])
    assert answer["layers"] and answer["failures"]


def get_download_url_for_layer(scene):
    name, content = scene.pushed()
    answer = scene.ecr.get_download_url_for_layer(repositoryName=name, layerDigest=layer_of(content))
    assert answer["downloadUrl"].startswith(scene.account.server.url)


def uploading(scene):
    name = scene.repository()
    return name, scene.ecr.initiate_layer_upload(repositoryName=name)["uploadId"]


def initiate_layer_upload(scene):
    uploading(scene)


def upload_part(scene, content):
    name, upload = uploading(scene)
    answer = scene.ecr.upload_layer_part(repositoryName=name, uploadId=upload, partFirstByte=0,
                                         partLastByte=len(content) - 1, layerPartBlob=content)
    assert answer["lastByteReceived"] == len(content) - 1
    return name, upload


def upload_layer_part(scene):
    upload_part(scene, fresh())


def complete_layer_upload(scene):
    content = fresh()
    name, upload = upload_part(scene, content)
    answer = scene.ecr.complete_layer_upload(repositoryName=name, uploadId=upload, layerDigests=[digest(content)])
    assert answer["layerDigest"] == digest(content)


def tag_resource(scene):
    scene.ecr.tag_resource(resourceArn=arn(scene, scene.repository()), tags=TAGS)


def untag_resource(scene):
    named = arn(scene, scene.repository(tags=TAGS))
    scene.ecr.untag_resource(resourceArn=named, tagKeys=["team"])
    assert scene.ecr.list_tags_for_resource(resourceArn=named)["tags"] == []


def list_tags_for_resource(scene):
    named = arn(scene, scene.repository(tags=TAGS))
    assert scene.ecr.list_tags_for_resource(resourceArn=named)["tags"] == TAGS


def policy(count):
    rules = [{"rulePriority": 1, "description": f"the newest {count}", "action": {"type": "expire"}, "selection": {
        "tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": count}}]
    return json.dumps({"rules": rules})


def with_policy(scene, name=None):
    name = name or scene.repository()
    scene.ecr.put_lifecycle_policy(repositoryName=name, lifecyclePolicyText=policy(1))
    return name


def previewed(scene, name):
    scene.ecr.start_lifecycle_policy_preview(repositoryName=name, lifecyclePolicyText=policy(1))
    scene.ecr.get_waiter("lifecycle_policy_preview_complete").wait(repositoryName=name)


def put_lifecycle_policy(scene):
    with_policy(scene)


def get_lifecycle_policy(scene):
    name = with_policy(scene)
    wait_until(lambda: "lastEvaluatedAt" in scene.ecr.get_lifecycle_policy(repositoryName=name),
               "the policy to be evaluated")
    assert scene.ecr.get_lifecycle_policy(repositoryName=name)["lifecyclePolicyText"] == policy(1)


def delete_lifecycle_policy(scene):
    name = with_policy(scene)
    assert scene.ecr.delete_lifecycle_policy(repositoryName=name)["lifecyclePolicyText"] == policy(1)
    refused(lambda: scene.ecr.get_lifecycle_policy(repositoryName=name), "LifecyclePolicyNotFoundException", name)


def start_lifecycle_policy_preview(scene):
    name, _ = scene.pushed()
    refused(lambda: scene.ecr.start_lifecycle_policy_preview(repositoryName=name), "LifecyclePolicyNotFoundException")
    previewed(scene, name)


def get_lifecycle_policy_preview(scene):
    name, content = scene.pushed()
    scene.registry().push_image(name, "v2")
    previewed(scene, name)
    answer = scene.ecr.get_lifecycle_policy_preview(repositoryName=name)
    result, = answer["previewResults"]
    assert result["imageDigest"] == digest(content) and result["imageTags"] == ["v1"]
    assert answer["summary"] == {"expiringImageTotalCount": 1}
    scene.ecr.get_lifecycle_policy_preview(repositoryName=name, imageIds=[{"imageTag": "v1"}])
    scene.ecr.get_lifecycle_policy_preview(repositoryName=name, filter={"tagStatus": "UNTAGGED"}, maxResults=1)


def set_repository_policy(scene):
    name = scene.repository()
    made = scene.ecr.set_repository_policy(repositoryName=name, policyText=ANYBODY_PULLS)
    assert (made["repositoryName"], made["policyText"]) == (name, ANYBODY_PULLS)
    scene.ecr.set_repository_policy(repositoryName=name, policyText=NOBODY, force=True)
    scene.ecr.delete_repository_policy(repositoryName=name)
    refused(lambda: scene.ecr.set_repository_policy(repositoryName=name, policyText=NOBODY),
            "InvalidParameterException", "'Invalid repository policy provided'")


def get_repository_policy(scene):
    name = scene.repository()
    refused(lambda: scene.ecr.get_repository_policy(repositoryName=name), "RepositoryPolicyNotFoundException", name)
    scene.ecr.set_repository_policy(repositoryName=name, policyText=ANYBODY_PULLS)
    assert scene.ecr.get_repository_policy(repositoryName=name)["policyText"] == ANYBODY_PULLS


def delete_repository_policy(scene):
    name = scene.repository()
    scene.ecr.set_repository_policy(repositoryName=name, policyText=ANYBODY_PULLS)
    assert scene.ecr.delete_repository_policy(repositoryName=name)["policyText"] == ANYBODY_PULLS
    refused(lambda: scene.ecr.delete_repository_policy(repositoryName=name), "RepositoryPolicyNotFoundException", name)


def put_registry_policy(scene):
    with registry_policy(scene) as text:
        assert scene.ecr.put_registry_policy(policyText=text)["policyText"] == text
    refused(lambda: scene.ecr.put_registry_policy(policyText=ANYBODY_PULLS),
            "InvalidParameterException", "'Invalid registry policy provided'")


def get_registry_policy(scene):
    with registry_policy(scene) as text:
        found = scene.ecr.get_registry_policy()
        assert (found["policyText"], found["registryId"]) == (text, scene.account.account_id())


def delete_registry_policy(scene):
    with registry_policy(scene):
        pass
    refused(scene.ecr.get_registry_policy, "RegistryPolicyNotFoundException", scene.account.account_id())


def describe_registry(scene):
    found = scene.ecr.describe_registry()
    assert (found["registryId"], found["replicationConfiguration"]) == (scene.account.account_id(), {"rules": []})


ANYBODY_PULLS = json.dumps({"Version": "2012-10-17", "Statement": [
    {"Sid": "anybody", "Effect": "Allow", "Principal": "*", "Action": "ecr:BatchGetImage"}]})
NOBODY = json.dumps({"Statement": {"Effect": "Deny", "Principal": {"AWS": "*"}, "NotAction": "ecr:BatchGetImage"}})


@contextlib.contextmanager
def registry_policy(scene):
    """The registry's policy for as long as it takes: others use the same registry."""
    text = json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "ecr:ReplicateImage",
         "Resource": f"arn:aws:ecr:*:{scene.account.account_id()}:repository/*"}]})
    scene.ecr.put_registry_policy(policyText=text)
    yield text
    scene.ecr.delete_registry_policy()


def template(scene, **more):
    """A creation template with a prefix of its own."""
    prefix = unique("template")
    made = scene.ecr.create_repository_creation_template(prefix=prefix, appliedFor=["CREATE_ON_PUSH"], **more)
    return prefix, made["repositoryCreationTemplate"]


def create_repository_creation_template(scene):
    prefix, made = template(scene, imageTagMutability="IMMUTABLE", resourceTags=TAGS, repositoryPolicy=ANYBODY_PULLS,
                            lifecyclePolicy=policy(1), description="all there is",
                            encryptionConfiguration={"encryptionType": "AES256"})
    assert (made["prefix"], made["resourceTags"], made["repositoryPolicy"]) == (prefix, TAGS, ANYBODY_PULLS)
    name = f"{prefix}/app"
    scene.registry().push_image(name, "v1")
    found, = scene.ecr.describe_repositories(repositoryNames=[name])["repositories"]
    assert found["imageTagMutability"] == "IMMUTABLE"
    assert scene.ecr.get_repository_policy(repositoryName=name)["policyText"] == ANYBODY_PULLS
    refused(lambda: scene.ecr.create_repository_creation_template(prefix=prefix, appliedFor=["REPLICATION"]),
            "TemplateAlreadyExistsException", prefix)


def update_repository_creation_template(scene):
    prefix, _ = template(scene)
    changed = scene.ecr.update_repository_creation_template(prefix=prefix, appliedFor=["REPLICATION"], description="now")
    assert changed["repositoryCreationTemplate"]["appliedFor"] == ["REPLICATION"]
    refused(lambda: scene.ecr.update_repository_creation_template(prefix=prefix + "x"), "TemplateNotFoundException")


def delete_repository_creation_template(scene):
    prefix, _ = template(scene)
    gone = scene.ecr.delete_repository_creation_template(prefix=prefix)["repositoryCreationTemplate"]
    assert gone["prefix"] == prefix
    refused(lambda: scene.ecr.delete_repository_creation_template(prefix=prefix), "TemplateNotFoundException", prefix)


def describe_repository_creation_templates(scene):
    (one, _), (other, _) = template(scene), template(scene)
    found = scene.ecr.describe_repository_creation_templates(prefixes=[one, other])["repositoryCreationTemplates"]
    assert {entry["prefix"] for entry in found} == {one, other}
    assert scene.ecr.describe_repository_creation_templates(maxResults=1)["nextToken"]


def scanned(scene):
    """An image with a report on it, as an external scanner attaches one; repository and the image's digest."""
    name, content = scene.pushed()
    registry = scene.registry()
    report = json.dumps({"version": "2.1.0", "runs": [{
        "tool": {"driver": {"name": "conformance", "rules": [
            {"id": "CVE-2026-1", "helpUri": "https://example.com/1", "properties": {"security-severity": "9.8"}}]}},
        "results": [{"ruleId": "CVE-2026-1", "message": {"text": "overflow"}},
                    {"ruleId": "CVE-2026-2", "level": "note", "message": {"text": "small"}}]}]}).encode()
    registry.push_blob(name, report)
    registry.push_blob(name, b"{}")
    artifact = json.dumps({
        "schemaVersion": 2, "mediaType": MANIFEST, "artifactType": SARIF,
        "config": descriptor(b"{}", "application/vnd.oci.empty.v1+json"),
        "layers": [descriptor(report, SARIF)], "subject": descriptor(content, MANIFEST)}).encode()
    assert registry.put_manifest(name, digest(artifact), artifact).status == 201
    return name, digest(content)


SARIF = "application/sarif+json"


def start_image_scan(scene):
    name, _ = scene.pushed()
    told = scene.ecr.start_image_scan(repositoryName=name, imageId={"imageTag": "v1"})["imageScanStatus"]
    assert told["status"] == "FINDINGS_UNAVAILABLE" and "no scanner" in told["description"]


def describe_image_scan_findings(scene):
    name, content = scene.pushed()
    refused(lambda: scene.ecr.describe_image_scan_findings(repositoryName=name, imageId={"imageTag": "v1"}),
            "ScanNotFoundException", "Image scan does not exist for the image with", name)
    name, image = scanned(scene)
    found = scene.ecr.describe_image_scan_findings(repositoryName=name, imageId={"imageTag": "v1"})
    assert (found["imageId"]["imageDigest"], found["imageScanStatus"]["status"]) == (image, "COMPLETE")
    assert found["imageScanFindings"]["findingSeverityCounts"] == {"CRITICAL": 1, "LOW": 1}
    first = found["imageScanFindings"]["findings"][0]
    assert (first["name"], first["uri"], first["description"]) == ("CVE-2026-1", "https://example.com/1", "overflow")
    scene.ecr.get_waiter("image_scan_complete").wait(repositoryName=name, imageId={"imageTag": "v1"})
    detail, = scene.ecr.describe_images(repositoryName=name, imageIds=[{"imageTag": "v1"}])["imageDetails"]
    assert detail["imageScanFindingsSummary"]["findingSeverityCounts"] == {"CRITICAL": 1, "LOW": 1}


def put_registry_scanning_configuration(scene):
    rule = {"scanFrequency": "SCAN_ON_PUSH", "repositoryFilters": [{"filter": "nothing/*", "filterType": "WILDCARD"}]}
    made = scene.ecr.put_registry_scanning_configuration(scanType="BASIC", rules=[rule])
    assert made["registryScanningConfiguration"] == {"scanType": "BASIC", "rules": [rule]}
    scene.ecr.put_registry_scanning_configuration(scanType="BASIC", rules=[])
    refused(lambda: scene.ecr.put_registry_scanning_configuration(
        scanType="BASIC", rules=[{**rule, "scanFrequency": "CONTINUOUS_SCAN"}]), "InvalidParameterException")


def get_registry_scanning_configuration(scene):
    assert scene.ecr.get_registry_scanning_configuration()["scanningConfiguration"]["scanType"] == "BASIC"


def batch_get_repository_scanning_configuration(scene):
    name = scene.repository(imageScanningConfiguration={"scanOnPush": True})
    told = scene.ecr.batch_get_repository_scanning_configuration(repositoryNames=[name, "not-there"])
    assert told["scanningConfigurations"][0]["scanOnPush"] is True
    assert told["failures"][0]["failureCode"] == "REPOSITORY_NOT_FOUND"


def get_account_setting(scene):
    assert scene.ecr.get_account_setting(name="REGISTRY_POLICY_SCOPE")["value"] == "V2"
    refused(lambda: scene.ecr.get_account_setting(name="NOTHING"), "InvalidParameterException")


def put_account_setting(scene):
    made = scene.ecr.put_account_setting(name="BLOB_MOUNTING", value="ENABLED")
    assert (made["name"], made["value"]) == ("BLOB_MOUNTING", "ENABLED")
    refused(lambda: scene.ecr.put_account_setting(name="BLOB_MOUNTING", value="MAYBE"), "InvalidParameterException")


def excluded(scene):
    """A principal whose pulls aren't recorded."""
    arn = f"arn:aws:iam::{scene.account.account_id()}:user/{unique('excluded')}"
    assert scene.ecr.register_pull_time_update_exclusion(principalArn=arn)["createdAt"]
    return arn


def register_pull_time_update_exclusion(scene):
    arn = excluded(scene)
    refused(lambda: scene.ecr.register_pull_time_update_exclusion(principalArn=arn), "ExclusionAlreadyExistsException")


def deregister_pull_time_update_exclusion(scene):
    arn = excluded(scene)
    assert scene.ecr.deregister_pull_time_update_exclusion(principalArn=arn)["principalArn"] == arn
    refused(lambda: scene.ecr.deregister_pull_time_update_exclusion(principalArn=arn), "ExclusionNotFoundException")


def list_pull_time_update_exclusions(scene):
    both = {excluded(scene), excluded(scene)}
    assert both <= set(scene.ecr.list_pull_time_update_exclusions()["pullTimeUpdateExclusions"])
    assert scene.ecr.list_pull_time_update_exclusions(maxResults=1)["nextToken"]


def signing():
    return {"rules": [{"signingProfileArn": "arn:aws:signer:us-east-1:000000000000:/signing-profiles/app",
                       "repositoryFilters": [{"filter": "app/*", "filterType": "WILDCARD_MATCH"}]}]}


def put_signing_configuration(scene):
    assert scene.ecr.put_signing_configuration(signingConfiguration=signing())["signingConfiguration"] == signing()


def get_signing_configuration(scene):
    scene.ecr.put_signing_configuration(signingConfiguration=signing())
    assert scene.ecr.get_signing_configuration()["signingConfiguration"] == signing()


def delete_signing_configuration(scene):
    scene.ecr.put_signing_configuration(signingConfiguration=signing())
    assert scene.ecr.delete_signing_configuration()["signingConfiguration"] == signing()
    refused(scene.ecr.get_signing_configuration, "SigningConfigurationNotFoundException")


def cache_rule(scene, **more):
    """A pull through cache rule with a prefix of its own, from a registry that is nowhere."""
    prefix = unique("cache")
    made = scene.ecr.create_pull_through_cache_rule(ecrRepositoryPrefix=prefix, upstreamRegistryUrl="127.0.0.1:9",
                                                    **more)
    return prefix, made


def create_pull_through_cache_rule(scene):
    prefix, made = cache_rule(scene, upstreamRepositoryPrefix="team", upstreamRegistry="quay")
    assert (made["ecrRepositoryPrefix"], made["upstreamRepositoryPrefix"]) == (prefix, "team")
    refused(lambda: scene.ecr.create_pull_through_cache_rule(ecrRepositoryPrefix=prefix, upstreamRegistryUrl="quay.io"),
            "PullThroughCacheRuleAlreadyExistsException", prefix)
    secret = f"arn:aws:secretsmanager:us-east-1:{scene.account.account_id()}:secret:ecr-pullthroughcache/none"
    refused(lambda: cache_rule(scene, credentialArn=secret), "SecretNotFoundException", "ecr-pullthroughcache/none")


def update_pull_through_cache_rule(scene):
    prefix, _ = cache_rule(scene)
    role = f"arn:aws:iam::{scene.account.account_id()}:role/cache"
    changed = scene.ecr.update_pull_through_cache_rule(ecrRepositoryPrefix=prefix, customRoleArn=role)
    assert changed["customRoleArn"] == role
    refused(lambda: scene.ecr.update_pull_through_cache_rule(ecrRepositoryPrefix=prefix + "x"),
            "PullThroughCacheRuleNotFoundException", prefix)


def delete_pull_through_cache_rule(scene):
    prefix, _ = cache_rule(scene)
    assert scene.ecr.delete_pull_through_cache_rule(ecrRepositoryPrefix=prefix)["ecrRepositoryPrefix"] == prefix
    refused(lambda: scene.ecr.delete_pull_through_cache_rule(ecrRepositoryPrefix=prefix),
            "PullThroughCacheRuleNotFoundException", prefix)


def describe_pull_through_cache_rules(scene):
    (one, _), (other, _) = cache_rule(scene), cache_rule(scene)
    found = scene.ecr.describe_pull_through_cache_rules(ecrRepositoryPrefixes=[one, other])["pullThroughCacheRules"]
    assert {entry["ecrRepositoryPrefix"] for entry in found} == {one, other}
    assert scene.ecr.describe_pull_through_cache_rules(maxResults=1)["nextToken"]


def validate_pull_through_cache_rule(scene):
    prefix, _ = cache_rule(scene)
    told = scene.ecr.validate_pull_through_cache_rule(ecrRepositoryPrefix=prefix)
    assert told["isValid"] is False and "127.0.0.1:9" in told["failure"]


def replication(scene, rules):
    return scene.ecr.put_replication_configuration(replicationConfiguration={"rules": rules})


def put_replication_configuration(scene):
    prefix = unique("replicated")
    rule = {"destinations": [{"region": "eu-north-1", "registryId": scene.account.account_id()}],
            "repositoryFilters": [{"filter": prefix, "filterType": "PREFIX_MATCH"}]}
    assert replication(scene, [rule])["replicationConfiguration"] == {"rules": [rule]}
    try:
        name = f"{prefix}/app"
        scene.ecr.create_repository(repositoryName=name)
        content = scene.registry().push_image(name, "v1")
        there = scene.account.client("ecr", region="eu-north-1")
        found, = there.describe_images(repositoryName=name)["imageDetails"]
        assert (found["imageDigest"], found["imageTags"]) == (digest(content), ["v1"])
    finally:
        replication(scene, [])
    foreign = {"destinations": [{"region": "eu-north-1", "registryId": "111122223333"}]}
    refused(lambda: replication(scene, [foreign]), "InvalidParameterException")


def describe_image_replication_status(scene):
    name, _ = scene.pushed()
    told = scene.ecr.describe_image_replication_status(repositoryName=name, imageId={"imageTag": "v1"})
    assert told["replicationStatuses"] == []
    refused(lambda: scene.ecr.describe_image_replication_status(repositoryName=name, imageId={"imageTag": "v2"}),
            "ImageNotFoundException")


def describe_image_signing_status(scene):
    name, _ = scene.pushed()
    told = scene.ecr.describe_image_signing_status(repositoryName=name, imageId={"imageTag": "v1"})
    assert told["repositoryName"] == name


def update_image_storage_class(scene):
    name, content = scene.pushed()
    image = {"imageDigest": digest(content)}
    for target, status in (("ARCHIVE", "ARCHIVED"), ("STANDARD", "ACTIVE")):
        told = scene.ecr.update_image_storage_class(repositoryName=name, imageId=image, targetStorageClass=target)
        assert told["imageStatus"] == status
        found, = scene.ecr.describe_images(repositoryName=name, imageIds=[image])["imageDetails"]
        assert found["imageStatus"] == status
        assert scene.registry().get(f"/v2/{name}/manifests/v1").status == (404 if target == "ARCHIVE" else 200)
