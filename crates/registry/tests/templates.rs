//! Creation templates, and the repositories that a push makes by them.

mod common;

use common::{ACCOUNT, Harness};
use serde_json::{Value, json};

const POLICY: &str =
    r#"{"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "ecr:BatchGetImage"}]}"#;
const LIFECYCLE: &str = r#"{"rules": [{"rulePriority": 1, "selection": {"tagStatus": "any",
    "countType": "imageCountMoreThan", "countNumber": 5}, "action": {"type": "expire"}}]}"#;

async fn create(h: &Harness, prefix: &str, mutability: &str, applied_for: &[&str]) -> Value {
    let input = json!({"prefix": prefix, "appliedFor": applied_for, "imageTagMutability": mutability});
    h.call("CreateRepositoryCreationTemplate", input).await.unwrap()
}

async fn mutability(h: &Harness, name: &str) -> String {
    let found = h.call("DescribeRepositories", json!({"repositoryNames": [name]})).await.unwrap();
    found["repositories"][0]["imageTagMutability"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_push_makes_a_repository_as_its_template_says() {
    let h = Harness::start().await;
    let input = json!({
        "prefix": "team/blue", "appliedFor": ["CREATE_ON_PUSH"], "description": "blue's",
        "imageTagMutability": "IMMUTABLE_WITH_EXCLUSION",
        "imageTagMutabilityExclusionFilters": [{"filterType": "WILDCARD", "filter": "dev-*"}],
        "encryptionConfiguration": {"encryptionType": "KMS"}, "resourceTags": [{"Key": "team", "Value": "blue"}],
        "repositoryPolicy": POLICY, "lifecyclePolicy": LIFECYCLE,
    });
    let made = h.call("CreateRepositoryCreationTemplate", input.clone()).await.unwrap();
    assert_eq!(made["registryId"], ACCOUNT);
    for (member, value) in input.as_object().unwrap() {
        assert_eq!(made["repositoryCreationTemplate"][member], *value, "{member}");
    }
    h.push_image("team/blue/app", "v1", b"layer").await;
    let found = h.call("DescribeRepositories", json!({"repositoryNames": ["team/blue/app"]})).await.unwrap();
    let found = &found["repositories"][0];
    assert_eq!(found["imageTagMutability"], "IMMUTABLE_WITH_EXCLUSION");
    assert_eq!(found["encryptionConfiguration"]["encryptionType"], "KMS");
    let tags = h.call("ListTagsForResource", json!({"resourceArn": found["repositoryArn"]})).await.unwrap();
    assert_eq!(tags["tags"], json!([{"Key": "team", "Value": "blue"}]));
    let name = json!({"repositoryName": "team/blue/app"});
    assert_eq!(h.call("GetRepositoryPolicy", name.clone()).await.unwrap()["policyText"], POLICY);
    assert_eq!(h.call("GetLifecyclePolicy", name).await.unwrap()["lifecyclePolicyText"], LIFECYCLE);
    // And again after a restart.
    let h = h.restart().await;
    h.push_image("team/blue/web", "v1", b"layer").await;
    assert_eq!(mutability(&h, "team/blue/web").await, "IMMUTABLE_WITH_EXCLUSION");
}

#[tokio::test]
async fn the_longest_prefix_wins_and_root_comes_last() {
    let h = Harness::start().await;
    let push =
        async |name: &str| h.send("POST", &format!("/v2/{name}/blobs/uploads/")).await.status().as_u16();
    assert_eq!(push("prod/a").await, 404);
    create(&h, "prod", "IMMUTABLE", &["CREATE_ON_PUSH"]).await;
    create(&h, "prod/team/", "MUTABLE", &["CREATE_ON_PUSH", "REPLICATION"]).await;
    create(&h, "prod/team/x", "IMMUTABLE", &["PULL_THROUGH_CACHE"]).await;
    for (name, status) in
        [("prod", 404), ("product/a", 404), ("other", 404), ("prod/a", 202), ("prod/team/a", 202)]
    {
        assert_eq!(push(name).await, status, "{name}");
    }
    assert_eq!(mutability(&h, "prod/a").await, "IMMUTABLE");
    assert_eq!(mutability(&h, "prod/team/a").await, "MUTABLE");
    // A template for another purpose isn't asked.
    assert_eq!(push("prod/team/x/a").await, 202);
    assert_eq!(mutability(&h, "prod/team/x/a").await, "MUTABLE");
    create(&h, "ROOT", "IMMUTABLE", &["CREATE_ON_PUSH"]).await;
    assert_eq!((push("other").await, push("prod/team/b").await), (202, 202));
    assert_eq!(mutability(&h, "other").await, "IMMUTABLE");
    assert_eq!(mutability(&h, "prod/team/b").await, "MUTABLE");
    assert_eq!(h.send("GET", "/v2/nothing/tags/list").await.status(), 404, "a pull makes nothing");
}

#[tokio::test]
async fn templates_are_changed_listed_and_deleted() {
    let h = Harness::start().await;
    create(&h, "b/", "IMMUTABLE", &["CREATE_ON_PUSH"]).await;
    create(&h, "a", "MUTABLE", &["REPLICATION"]).await;
    let twice = json!({"prefix": "b", "appliedFor": ["REPLICATION"]});
    let error = h.call("CreateRepositoryCreationTemplate", twice).await.unwrap_err();
    assert_eq!(error.code, "TemplateAlreadyExistsException");
    let describe = async |input: Value| {
        let answer = h.call("DescribeRepositoryCreationTemplates", input).await.unwrap();
        let list = answer["repositoryCreationTemplates"].as_array().unwrap().clone();
        let prefixes: Vec<String> = list.iter().map(|t| t["prefix"].as_str().unwrap().to_owned()).collect();
        (prefixes, answer["nextToken"].clone())
    };
    assert_eq!(describe(json!({})).await.0, ["a", "b"]);
    let (first, token) = describe(json!({"maxResults": 1})).await;
    assert_eq!(
        (first, describe(json!({"maxResults": 1, "nextToken": token})).await.0),
        (vec!["a".into()], vec!["b".into()])
    );
    assert_eq!(describe(json!({"prefixes": ["b/", "none"]})).await.0, ["b"]);

    let update = json!({"prefix": "b", "description": "now", "appliedFor": ["REPLICATION"]});
    let changed = h.call("UpdateRepositoryCreationTemplate", update).await.unwrap();
    let changed = &changed["repositoryCreationTemplate"];
    assert_eq!((&changed["description"], &changed["appliedFor"]), (&json!("now"), &json!(["REPLICATION"])));
    assert_eq!(changed["imageTagMutability"], "MUTABLE", "left out, it is this");
    assert_eq!(h.send("POST", "/v2/b/app/blobs/uploads/").await.status(), 404);

    h.call("DeleteRepositoryCreationTemplate", json!({"prefix": "b"})).await.unwrap();
    for operation in ["DeleteRepositoryCreationTemplate", "UpdateRepositoryCreationTemplate"] {
        let error = h.call(operation, json!({"prefix": "b"})).await.unwrap_err();
        assert_eq!(error.code, "TemplateNotFoundException");
    }
}

#[tokio::test]
async fn what_a_template_may_not_say() {
    let h = Harness::start().await;
    for (member, value) in [
        ("appliedFor", json!([])),
        ("appliedFor", json!(["SOMETIMES"])),
        ("prefix", json!("Prod")),
        ("repositoryPolicy", json!("{}")),
        ("lifecyclePolicy", json!("{}")),
        ("imageTagMutability", json!("IMMUTABLE_WITH_EXCLUSION")),
        ("encryptionConfiguration", json!({"encryptionType": "AES256", "kmsKey": "k"})),
    ] {
        let mut input = json!({"prefix": "prod", "appliedFor": ["CREATE_ON_PUSH"]});
        input[member] = value;
        let error = h.call("CreateRepositoryCreationTemplate", input).await.unwrap_err();
        assert_eq!(error.code, "InvalidParameterException", "{member}: {error}");
    }
    let none = h.call("DescribeRepositoryCreationTemplates", json!({})).await.unwrap();
    assert_eq!(none["repositoryCreationTemplates"], json!([]));
}
