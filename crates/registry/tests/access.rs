//! Who may do what: policies of keys, repositories and registries, on `/v2/`.

mod common;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use common::{ACCOUNT, Harness, OCI_MANIFEST, REGION, code, context, image, sha256};
use iam::{Kind, Policy, PolicyKind, Principal};
use registry::Principals;
use reqwest::Response;
use serde_json::{Value, json};
use wire::Context;

/// Keys by their ids; the empty one is the harness's own, and root's.
#[derive(Default)]
struct Keys(Mutex<BTreeMap<String, Option<String>>>);

impl Principals for Keys {
    fn find(&self, access_key_id: &str, account: &str) -> Option<Principal> {
        if access_key_id.is_empty() {
            return Some(Principal::root(account));
        }
        let policy = self.0.lock().unwrap().get(access_key_id)?.clone();
        let policy = policy.map(|text| Arc::new(Policy::parse(&text, PolicyKind::Identity).unwrap()));
        Some(Principal { account: account.into(), kind: Kind::User { name: access_key_id.into(), policy } })
    }
}

impl Keys {
    fn set(&self, name: &str, policy: Option<Value>) {
        self.0.lock().unwrap().insert(name.into(), policy.map(|policy| policy.to_string()));
    }

    fn remove(&self, name: &str) {
        self.0.lock().unwrap().remove(name);
    }
}

async fn start() -> (Harness, Arc<Keys>) {
    let keys = Arc::new(Keys::default());
    let principals = keys.clone();
    let h = Harness::start_with(|config| config.principals = principals).await;
    (h, keys)
}

fn allow(actions: &[&str], repository: &str) -> Value {
    let resource = format!("arn:aws:ecr:*:*:repository/{repository}");
    json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": actions, "Resource": resource}})
}

const PULL: &[&str] = &["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:BatchCheckLayerAvailability"];
const PUSH: &[&str] = &[
    "ecr:InitiateLayerUpload",
    "ecr:UploadLayerPart",
    "ecr:CompleteLayerUpload",
    "ecr:PutImage",
    "ecr:BatchCheckLayerAvailability",
];

async fn password(h: &Harness, key: &str) -> String {
    let context = Context { access_key_id: key.into(), ..context(REGION) };
    let answer = h.registry.operations().call("ecr", "GetAuthorizationToken", context, b"{}").await.unwrap();
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    let token = answer["authorizationData"][0]["authorizationToken"].as_str().unwrap();
    use base64::{Engine, engine::general_purpose::STANDARD};
    String::from_utf8(STANDARD.decode(token).unwrap()).unwrap().strip_prefix("AWS:").unwrap().to_owned()
}

/// A visitor with a password.
struct As<'h>(&'h Harness, String);

impl As<'_> {
    async fn send(&self, method: &str, path: &str) -> Response {
        self.0.anonymous(method, path).basic_auth("AWS", Some(&self.1)).send().await.unwrap()
    }

    async fn status(&self, method: &str, path: &str) -> u16 {
        self.send(method, path).await.status().as_u16()
    }

    async fn push_blob(&self, name: &str, bytes: &[u8]) -> u16 {
        let path = format!("/v2/{name}/blobs/uploads/?digest={}", sha256(bytes));
        let request = self.0.anonymous("POST", &path).basic_auth("AWS", Some(&self.1));
        request.body(bytes.to_vec()).send().await.unwrap().status().as_u16()
    }

    async fn put_manifest(&self, name: &str, tag: &str, manifest: &Value) -> Response {
        let request = self.0.anonymous("PUT", &format!("/v2/{name}/manifests/{tag}"));
        let request = request.basic_auth("AWS", Some(&self.1)).header("content-type", OCI_MANIFEST);
        request.body(manifest.to_string()).send().await.unwrap()
    }
}

async fn as_key<'h>(h: &'h Harness, key: &str) -> As<'h> {
    As(h, password(h, key).await)
}

#[tokio::test]
async fn one_pushes_and_another_only_pulls() {
    let (h, keys) = start().await;
    keys.set("push", Some(allow(PUSH, "team/*")));
    keys.set("pull", Some(allow(PULL, "team/*")));
    h.create("team/app").await;
    let (push, pull) = (as_key(&h, "push").await, as_key(&h, "pull").await);

    let (config, layer) = (br#"{"os":"linux"}"#, b"layer");
    for blob in [&config[..], &layer[..]] {
        assert_eq!(push.push_blob("team/app", blob).await, 201);
    }
    let manifest = image(config, &[layer]);
    assert_eq!(push.put_manifest("team/app", "v1", &manifest).await.status(), 201);
    // Who puts may ask whether it is there, and no more.
    assert_eq!(push.status("HEAD", "/v2/team/app/manifests/v1").await, 200);
    assert_eq!(push.status("GET", "/v2/team/app/manifests/v1").await, 403);
    let blob = format!("/v2/team/app/blobs/{}", sha256(layer));
    assert_eq!((push.status("HEAD", &blob).await, push.status("GET", &blob).await), (200, 403));

    assert_eq!(pull.status("GET", "/v2/team/app/manifests/v1").await, 200);
    assert_eq!((pull.status("HEAD", &blob).await, pull.status("GET", &blob).await), (200, 200));
    let refused = pull.put_manifest("team/app", "v2", &manifest).await;
    assert_eq!(refused.status(), 403);
    let body: Value = refused.json().await.unwrap();
    assert_eq!(body["errors"][0]["code"], "DENIED");
    assert_eq!(
        body["errors"][0]["message"],
        "User: arn:aws:iam::000000000000:user/pull is not authorized to perform: ecr:PutImage on resource: \
         arn:aws:ecr:us-east-1:000000000000:repository/team/app because no identity-based policy allows the \
         ecr:PutImage action"
    );
    assert_eq!(pull.status("POST", "/v2/team/app/blobs/uploads/").await, 403);
    for path in ["/v2/team/app/manifests/v1", &blob] {
        assert_eq!(pull.status("DELETE", path).await, 403);
        assert_eq!(push.status("DELETE", path).await, 403);
    }
    assert_eq!(pull.status("GET", "/v2/team/app/tags/list").await, 403, "ecr:ListImages is neither's");
}

#[tokio::test]
async fn each_step_of_a_push_is_asked() {
    let (h, keys) = start().await;
    h.create("app").await;
    let needed = ["ecr:InitiateLayerUpload", "ecr:UploadLayerPart", "ecr:CompleteLayerUpload"];
    for missing in 0..needed.len() {
        let actions: Vec<&str> =
            needed.iter().enumerate().filter(|(i, _)| *i != missing).map(|(_, a)| *a).collect();
        keys.set("ci", Some(allow(&actions, "app")));
        let ci = as_key(&h, "ci").await;
        let all_at_once = h.anonymous("POST", &format!("/v2/app/blobs/uploads/?digest={}", sha256(b"x")));
        let answer = all_at_once.basic_auth("AWS", Some(&ci.1)).body("x").send().await.unwrap();
        assert_eq!(answer.status(), 403, "without {}", needed[missing]);
        let place = h.begin("app").await;
        let expected = [(403, 202, 202), (202, 403, 403), (202, 202, 403)][missing];
        let first = ci.status("POST", "/v2/app/blobs/uploads/").await;
        let append = ci.status("PATCH", &place).await;
        let finish = ci.status("PUT", &format!("{place}?digest={}", sha256(b""))).await;
        let finish = if finish == 201 { 202 } else { finish };
        assert_eq!((first, append, finish), expected, "without {}", needed[missing]);
    }
}

#[tokio::test]
async fn what_is_somebody_else_s_looks_as_if_it_were_not_there() {
    let (h, keys) = start().await;
    keys.set("ci", Some(allow(PULL, "mine")));
    h.create("mine").await;
    h.create("secret").await;
    h.push_image("secret", "v1", b"layer").await;
    let ci = as_key(&h, "ci").await;
    let there = ci.send("GET", "/v2/secret/manifests/v1").await;
    let not_there = ci.send("GET", "/v2/absent/manifests/v1").await;
    assert_eq!((there.status().as_u16(), not_there.status().as_u16()), (403, 403));
    let (there, not_there) = (there.text().await.unwrap(), not_there.text().await.unwrap());
    assert_eq!(there.replace("secret", "absent"), not_there);
    let catalog: Value = ci.send("GET", "/v2/_catalog").await.json().await.unwrap();
    assert_eq!(catalog["repositories"], json!(["mine"]));
    let all: Value = h.send("GET", "/v2/_catalog").await.json().await.unwrap();
    assert_eq!(all["repositories"], json!(["mine", "secret"]));
}

#[tokio::test]
async fn a_mount_needs_the_right_to_pull_the_source() {
    let (h, keys) = start().await;
    h.create("mine").await;
    h.create("secret").await;
    let digest = h.push_blob("secret", b"layer").await;
    keys.set("ci", Some(allow(PUSH, "mine")));
    let ci = as_key(&h, "ci").await;
    let named = format!("/v2/mine/blobs/uploads/?mount={digest}&from=secret");
    let anywhere = format!("/v2/mine/blobs/uploads/?mount={digest}");
    // Nothing to mount, as far as they can know: an upload begins.
    assert_eq!((ci.status("POST", &named).await, ci.status("POST", &anywhere).await), (202, 202));
    let mut both = allow(PUSH, "mine");
    both["Statement"] = json!([both["Statement"], allow(PULL, "secret")["Statement"]]);
    keys.set("ci", Some(both));
    assert_eq!(ci.status("POST", &anywhere).await, 201);
    assert_eq!(ci.status("POST", &named).await, 201);
}

#[tokio::test]
async fn policies_of_repositories_and_registries_decide_too() {
    let (h, keys) = start().await;
    keys.set("guest", None);
    h.create("app").await;
    h.push_image("app", "v1", b"layer").await;
    let guest = as_key(&h, "guest").await;
    let get = || guest.status("GET", "/v2/app/manifests/v1");
    assert_eq!(get().await, 403);

    let set = |text: Value| json!({"repositoryName": "app", "policyText": text.to_string()});
    let arn = "arn:aws:iam::000000000000:user/guest";
    let open = json!({"Statement": [{"Effect": "Allow", "Principal": {"AWS": arn}, "Action": PULL}]});
    h.call("SetRepositoryPolicy", set(open.clone())).await.unwrap();
    assert_eq!(get().await, 200);

    // A registry's deny beats the repository's allow, for root too.
    let shut = json!({"Statement": [{"Effect": "Deny", "Principal": "*", "Action": "ecr:BatchGetImage",
                                     "Resource": "arn:aws:ecr:us-east-1:000000000000:repository/a*"}]});
    h.call("PutRegistryPolicy", json!({"policyText": shut.to_string()})).await.unwrap();
    let refused = guest.send("GET", "/v2/app/manifests/v1").await;
    assert!(refused.text().await.unwrap().contains("with an explicit deny in a resource-based policy"));
    assert_eq!(h.send("GET", "/v2/app/manifests/v1").await.status(), 403);
    h.call("DeleteRegistryPolicy", json!({})).await.unwrap();
    assert_eq!(get().await, 200);

    // It outlives a restart with its repository, and goes with it.
    let text = h.call("GetRepositoryPolicy", json!({"repositoryName": "app"})).await.unwrap();
    assert_eq!(text["policyText"], open.to_string());
    let h = h.restart().await;
    h.call("GetRepositoryPolicy", json!({"repositoryName": "app"})).await.unwrap();
    h.call("DeleteRepository", json!({"repositoryName": "app", "force": true})).await.unwrap();
    h.create("app").await;
    let gone = h.call("GetRepositoryPolicy", json!({"repositoryName": "app"})).await.unwrap_err();
    assert_eq!(gone.code, "RepositoryPolicyNotFoundException");
}

#[tokio::test]
async fn policies_of_repositories_as_ecr_takes_them() {
    let (h, _) = start().await;
    h.create("app").await;
    let put = |text: &str, force: bool| {
        h.call("SetRepositoryPolicy", json!({"repositoryName": "app", "policyText": text, "force": force}))
    };
    let lock = r#"{"Statement": {"Effect": "Deny", "Principal": "*", "Action": "ecr:*"}}"#;
    for text in [
        "",
        "{}",
        "x",
        r#"{"Statement": {"Effect": "Allow", "Principal": "*", "Action": "ecr:*", "Resource": "*"}}"#,
        lock,
    ] {
        let error = put(text, false).await.unwrap_err();
        let words = "Invalid parameter at 'PolicyText' failed to satisfy constraint: 'Invalid repository policy provided'";
        assert_eq!(
            (error.code.as_str(), error.message.as_str()),
            ("InvalidParameterException", words),
            "{text}"
        );
    }
    let error = h.call("GetRepositoryPolicy", json!({"repositoryName": "app"})).await.unwrap_err();
    let words = "Repository policy does not exist for the repository with name 'app' in the registry with id '000000000000'";
    assert_eq!((error.code.as_str(), error.message.as_str()), ("RepositoryPolicyNotFoundException", words));
    assert_eq!(put(lock, true).await.unwrap()["policyText"], lock);
    let deleted = h.call("DeleteRepositoryPolicy", json!({"repositoryName": "app"})).await.unwrap();
    assert_eq!((&deleted["policyText"], &deleted["registryId"]), (&json!(lock), &json!(ACCOUNT)));
    let error = h.call("DeleteRepositoryPolicy", json!({"repositoryName": "app"})).await.unwrap_err();
    assert_eq!(error.code, "RepositoryPolicyNotFoundException");
    let error = h.call("SetRepositoryPolicy", json!({"repositoryName": "none", "policyText": lock})).await;
    assert_eq!(error.unwrap_err().code, "RepositoryNotFoundException");

    let error = h.call("GetRegistryPolicy", json!({})).await.unwrap_err();
    let words = "Registry policy does not exist in the registry with id '000000000000'";
    assert_eq!((error.code.as_str(), error.message.as_str()), ("RegistryPolicyNotFoundException", words));
    let error = h.call("PutRegistryPolicy", json!({"policyText": lock})).await.unwrap_err();
    assert!(error.message.ends_with("'Invalid registry policy provided'"), "it names no resource: {error}");
    let registry = h.call("DescribeRegistry", json!({})).await.unwrap();
    assert_eq!(registry, json!({"registryId": ACCOUNT, "replicationConfiguration": {"rules": []}}));
}

#[tokio::test]
async fn changes_hold_at_once_for_passwords_and_tokens_that_are_out() {
    let (h, keys) = start().await;
    keys.set("ci", Some(allow(PULL, "app")));
    h.create("app").await;
    h.push_image("app", "v1", b"layer").await;
    let ci = as_key(&h, "ci").await;
    let token: Value = ci.send("GET", "/v2/token?scope=repository:app:pull").await.json().await.unwrap();
    let token = token["token"].as_str().unwrap();
    let url = {
        let context = Context { access_key_id: "ci".into(), ..context(REGION) };
        let body = json!({"repositoryName": "app", "layerDigest": sha256(b"layer")}).to_string();
        let operations = h.registry.operations();
        let answer =
            operations.call("ecr", "GetDownloadUrlForLayer", context, body.as_bytes()).await.unwrap();
        serde_json::from_slice::<Value>(&answer).unwrap()["downloadUrl"].as_str().unwrap().to_owned()
    };
    let all = async || {
        let by_token = h.anonymous("GET", "/v2/app/manifests/v1").bearer_auth(token).send().await.unwrap();
        let by_ticket = h.anonymous("GET", &url).send().await.unwrap();
        let by_password = ci.status("GET", "/v2/app/manifests/v1").await;
        [by_token.status().as_u16(), by_ticket.status().as_u16(), by_password]
    };
    assert_eq!(all().await, [200; 3]);
    keys.set("ci", None);
    assert_eq!(all().await, [403; 3]);
    keys.remove("ci");
    assert_eq!(all().await, [401; 3]);
    assert_eq!(ci.status("GET", "/v2/").await, 401);
    assert_eq!(ci.status("GET", "/v2/token").await, 401);
}

#[tokio::test]
async fn a_bearer_token_opens_what_it_was_asked_for() {
    let (h, _) = start().await;
    h.create("app").await;
    h.create("other").await;
    h.push_image("app", "v1", b"layer").await;
    let get = async |scopes: &str| {
        let body: Value = h.send("GET", &format!("/v2/token?service=x{scopes}")).await.json().await.unwrap();
        body["token"].as_str().unwrap().to_owned()
    };
    let status = async |token: &str, method: &str, path: &str| {
        h.anonymous(method, path).bearer_auth(token).send().await.unwrap().status().as_u16()
    };
    let pull = get("&scope=repository:app:pull").await;
    assert_eq!(status(&pull, "GET", "/v2/app/manifests/v1").await, 200);
    for (method, path) in [
        ("POST", "/v2/app/blobs/uploads/"),
        ("GET", "/v2/other/tags/list"),
        ("DELETE", "/v2/app/manifests/v1"),
        ("GET", "/v2/_catalog"),
    ] {
        assert_eq!(status(&pull, method, path).await, 401, "{method} {path}");
    }
    let answer = h.anonymous("POST", "/v2/app/blobs/uploads/").bearer_auth(&pull).send().await.unwrap();
    let challenges: Vec<_> = answer.headers().get_all("www-authenticate").iter().collect();
    let bearer = challenges[1].to_str().unwrap();
    assert!(bearer.contains(r#"scope="repository:app:pull,push""#) && bearer.contains("insufficient_scope"));
    assert_eq!(code(answer).await, "UNAUTHORIZED");

    let push = get("&scope=repository:app:pull,push&scope=repository:other:pull").await;
    assert_eq!(status(&push, "POST", "/v2/app/blobs/uploads/").await, 202);
    assert_eq!(status(&push, "GET", "/v2/other/tags/list").await, 200);
    assert_eq!(status(&push, "POST", "/v2/other/blobs/uploads/").await, 401);
    // A source that the token doesn't open has nothing to mount.
    let digest = h.push_blob("other", b"mine").await;
    let mount = format!("/v2/app/blobs/uploads/?mount={digest}&from=other");
    assert_eq!(status(&get("&scope=repository:app:push").await, "POST", &mount).await, 202);
    assert_eq!(status(&push, "POST", &mount).await, 201);

    let everything = get("").await;
    assert_eq!(status(&everything, "GET", "/v2/app/manifests/v1").await, 200);
    let nothing = get("&scope=").await;
    assert_eq!(status(&nothing, "GET", "/v2/").await, 200);
    assert_eq!(status(&nothing, "GET", "/v2/app/manifests/v1").await, 401);
    assert_eq!(status(&get("&scope=registry:catalog:*").await, "GET", "/v2/_catalog").await, 200);
}

#[tokio::test]
async fn making_a_repository_by_a_push_is_a_right_of_its_own() {
    let keys = Arc::new(Keys::default());
    let principals = keys.clone();
    let h = Harness::start_with(|config| {
        config.principals = principals;
        config.create_on_push = true;
    })
    .await;
    keys.set("ci", Some(allow(PUSH, "new")));
    let ci = as_key(&h, "ci").await;
    let refused = ci.send("POST", "/v2/new/blobs/uploads/").await;
    assert_eq!(refused.status(), 403);
    assert!(refused.text().await.unwrap().contains("ecr:CreateRepository"));
    let error = h.call("DescribeRepositories", json!({"repositoryNames": ["new"]})).await.unwrap_err();
    assert_eq!(error.code, "RepositoryNotFoundException");
    keys.set("ci", Some(allow(&[PUSH, &["ecr:CreateRepository"]].concat(), "new")));
    assert_eq!(ci.push_blob("new", b"x").await, 201);
}

#[tokio::test]
async fn conditions_ask_for_tags_and_addresses() {
    let (h, keys) = start().await;
    let tags = json!([{"Key": "team", "Value": "blue"}]);
    h.call("CreateRepository", json!({"repositoryName": "app", "tags": tags})).await.unwrap();
    h.push_image("app", "v1", b"layer").await;
    let with = |condition: Value| {
        json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": PULL, "Resource": "*",
               "Condition": condition}})
    };
    for (condition, status) in [
        (json!({"StringEquals": {"aws:ResourceTag/team": "blue"}}), 200),
        (json!({"StringEquals": {"ecr:ResourceTag/team": "red"}}), 403),
        (json!({"StringEquals": {"aws:username": "ci", "aws:RequestedRegion": REGION}}), 200),
        (json!({"DateGreaterThan": {"aws:CurrentTime": "2026-09-21T00:00:00Z"}}), 200),
        (json!({"DateGreaterThan": {"aws:CurrentTime": "2026-09-22T00:00:00Z"}}), 403),
        // The test's server tells no address.
        (json!({"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}), 403),
    ] {
        keys.set("ci", Some(with(condition.clone())));
        let ci = as_key(&h, "ci").await;
        assert_eq!(ci.status("GET", "/v2/app/manifests/v1").await, status, "{condition}");
    }
}
