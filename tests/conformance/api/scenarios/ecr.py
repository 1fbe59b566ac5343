import json

from kit.distribution import INDEX, MANIFEST, descriptor, digest, fresh

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
