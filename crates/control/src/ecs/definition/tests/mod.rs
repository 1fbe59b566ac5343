mod containers;
mod filled_in;
mod tasks;

use serde_json::{Value, json};

use super::*;

/// Takes a request written as JSON.
fn admit_json(request: Value) -> Result<NewDefinition, Error> {
    let request = serde_json::from_value(request).expect("a request");
    admit(request, Scope::new("000000000000", "us-east-1"), "arn:aws:iam::000000000000:root")
}

/// A small definition that is fit for FARGATE, changed by `with`: members of the task.
fn fargate(with: Value) -> Value {
    merged(
        json!({
            "family": "web", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"],
            "cpu": "256", "memory": "512",
            "containerDefinitions": [{"name": "app", "image": "nginx"}],
        }),
        with,
    )
}

/// The same for EC2, on a bridge; `container` changes its one container.
fn ec2(container: Value) -> Value {
    let container = merged(json!({"name": "app", "image": "nginx", "memory": 64}), container);
    json!({"family": "web", "containerDefinitions": [container]})
}

fn fargate_with(container: Value) -> Value {
    fargate(json!({"containerDefinitions": [merged(json!({"name": "app", "image": "nginx"}), container)]}))
}

/// Several containers on a bridge, each by its own members.
fn several(containers: Value) -> Value {
    let containers: Vec<Value> = containers
        .as_array()
        .expect("containers")
        .iter()
        .map(|own| merged(json!({"image": "nginx", "memory": 64}), own.clone()))
        .collect();
    json!({"family": "web", "containerDefinitions": containers})
}

fn merged(mut base: Value, with: Value) -> Value {
    let members = with.as_object().expect("members").clone();
    base.as_object_mut().expect("members").extend(members);
    base
}

/// Every case is refused with exactly these words, as a `ClientException`.
fn refused(cases: impl IntoIterator<Item = (Value, &'static str)>) {
    for (request, words) in cases {
        match admit_json(request.clone()) {
            Ok(_) => panic!("taken, not refused with {words:?}: {request}"),
            Err(error) => {
                assert_eq!(error.message, words, "{request}");
                assert_eq!(error.code, "ClientException", "{request}");
            }
        }
    }
}

fn taken(cases: impl IntoIterator<Item = Value>) {
    for request in cases {
        if let Err(error) = admit_json(request.clone()) {
            panic!("{error}: {request}");
        }
    }
}
