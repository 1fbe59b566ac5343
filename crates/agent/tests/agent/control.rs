//! A control plane that remembers what it was told and sends what a test wants sent.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, post};
use serde_json::{Value, json};
use tokio::sync::{Notify, broadcast};

use super::image::{Image, busybox};

pub struct Control {
    pub endpoint: String,
    pub image: Image,
    state: Mutex<Heard>,
    news: Notify,
    frames: broadcast::Sender<String>,
}

#[derive(Default)]
struct Heard {
    calls: Vec<(String, Value)>,
    acs: Vec<Value>,
    tcs: Vec<String>,
    sessions: usize,
    groups: Vec<String>,
    lines: HashMap<String, Vec<String>>,
    away: bool,
}

impl Control {
    pub async fn start() -> Arc<Control> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let control = Arc::new(Control {
            endpoint: format!("http://{}", listener.local_addr().unwrap()),
            image: busybox(),
            state: Mutex::default(),
            news: Notify::new(),
            frames: broadcast::channel(64).0,
        });
        let router = Router::new()
            .route("/", post(api))
            .route("/acs/ws", any(acs))
            .route("/tcs/ws", any(tcs))
            .route("/v2/{*rest}", any(registry))
            .with_state(control.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        control
    }

    pub fn host(&self) -> &str {
        self.endpoint.strip_prefix("http://").unwrap()
    }

    /// Answers nothing but 503 from now on, or again properly.
    pub fn set_away(&self, away: bool) {
        self.state.lock().unwrap().away = away;
    }

    pub fn send(&self, kind: &str, message: Value) {
        self.frames.send(json!({"type": kind, "message": message}).to_string()).unwrap();
    }

    /// Closes every session abruptly.
    pub fn drop_sessions(&self) {
        self.frames.send(String::new()).unwrap();
    }

    async fn until<T>(&self, what: &str, mut look: impl FnMut(&Heard) -> Option<T>) -> T {
        let wait = async {
            loop {
                let news = self.news.notified();
                if let Some(found) = look(&self.state.lock().unwrap()) {
                    return found;
                }
                news.await;
            }
        };
        match tokio::time::timeout(Duration::from_secs(20), wait).await {
            Ok(found) => found,
            Err(_) => {
                let heard = self.state.lock().unwrap();
                panic!("no {what}; heard {:#?}", (&heard.calls, &heard.acs, &heard.lines));
            }
        }
    }

    pub async fn call(&self, operation: &str) -> Value {
        self.until(operation, |h| h.calls.iter().find(|(o, _)| o == operation).map(|(_, v)| v.clone())).await
    }

    /// The calls of an operation so far.
    pub fn calls(&self, operation: &str) -> Vec<Value> {
        let heard = self.state.lock().unwrap();
        heard.calls.iter().filter(|(o, _)| o == operation).map(|(_, input)| input.clone()).collect()
    }

    /// The report of a task with this status.
    pub async fn report(&self, task: &str, status: &str) -> Value {
        let is = |v: &Value| v["task"].as_str().is_some_and(|t| t.ends_with(task)) && v["status"] == status;
        self.until(&format!("{status} of {task}"), |h| {
            h.calls.iter().find(|(o, v)| o == "SubmitTaskStateChange" && is(v)).map(|(_, v)| v.clone())
        })
        .await
    }

    /// How often the control plane was told that a container of the task had started.
    pub fn starts(&self, task: &str, container: &str) -> usize {
        let heard = self.state.lock().unwrap();
        let of = heard.calls.iter().filter(|(o, v)| {
            o == "SubmitTaskStateChange" && v["task"].as_str().is_some_and(|t| t.ends_with(task))
        });
        let changes = of.flat_map(|(_, v)| v["containers"].as_array().unwrap());
        changes.filter(|c| c["containerName"] == container && c["status"] == "RUNNING").count()
    }

    /// The agent's messages of this type, once there are `n`.
    pub async fn acs(&self, kind: &str, n: usize) -> Vec<Value> {
        self.until(kind, |h| {
            let found: Vec<_> =
                h.acs.iter().filter(|m| m["type"] == kind).map(|m| m["message"].clone()).collect();
            (found.len() >= n).then_some(found)
        })
        .await
    }

    pub async fn sessions(&self, n: usize) {
        self.until("session", |h| (h.sessions >= n).then_some(())).await;
    }

    pub async fn tcs(&self) -> String {
        self.until("TCS frame", |h| h.tcs.first().cloned()).await
    }

    pub fn lines(&self, stream: &str) -> Vec<String> {
        self.state.lock().unwrap().lines.get(stream).cloned().unwrap_or_default()
    }

    pub async fn line(&self, stream: &str, line: &str) {
        self.until(line, |h| h.lines.get(stream)?.iter().any(|l| l == line).then_some(())).await;
    }
}

fn error(code: &str) -> Response {
    (StatusCode::BAD_REQUEST, json!({"__type": code, "message": "no"}).to_string()).into_response()
}

async fn api(State(control): State<Arc<Control>>, headers: HeaderMap, body: Bytes) -> Response {
    assert!(headers["authorization"].to_str().unwrap().starts_with("AWS4-HMAC-SHA256"));
    let target = headers["x-amz-target"].to_str().unwrap().to_owned();
    let operation = target.split('.').nth(1).unwrap().to_owned();
    let input: Value = serde_json::from_slice(&body).unwrap();
    let text = |key: &str| input[key].as_str().unwrap_or_default().to_owned();
    let mut heard = control.state.lock().unwrap();
    if heard.away {
        // Of this one a test wants to know what was said into the void.
        if operation == "RegisterContainerInstance" {
            heard.calls.push((operation, input));
            control.news.notify_waiters();
        }
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let output = match operation.as_str() {
        "RegisterContainerInstance" => json!({"containerInstance": {
            "containerInstanceArn": "arn:aws:ecs:us-east-1:000000000000:container-instance/pool/1",
            "attributes": input["attributes"],
        }}),
        "DiscoverPollEndpoint" => json!({
            "endpoint": format!("{}/acs", control.endpoint),
            "telemetryEndpoint": format!("{}/tcs", control.endpoint),
        }),
        "CreateLogGroup" => {
            heard.groups.push(text("logGroupName"));
            json!({})
        }
        "CreateLogStream" if !heard.groups.contains(&text("logGroupName")) => {
            return error("ResourceNotFoundException");
        }
        "PutLogEvents" => {
            let lines = heard.lines.entry(text("logStreamName")).or_default();
            for event in input["logEvents"].as_array().unwrap() {
                lines.push(event["message"].as_str().unwrap().to_owned());
            }
            json!({})
        }
        "GetAuthorizationToken" => json!({"authorizationData": [{
            "authorizationToken": "QVdTOnNlY3JldA==", "expiresAt": 4_000_000_000.0,
        }]}),
        _ => json!({}),
    };
    heard.calls.push((operation, input));
    drop(heard);
    control.news.notify_waiters();
    output.to_string().into_response()
}

async fn acs(State(control): State<Arc<Control>>, upgrade: WebSocketUpgrade) -> Response {
    if control.state.lock().unwrap().away {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let frames = control.frames.subscribe();
    upgrade.on_upgrade(move |socket| serve_acs(control, socket, frames))
}

async fn serve_acs(control: Arc<Control>, mut socket: WebSocket, mut frames: broadcast::Receiver<String>) {
    control.state.lock().unwrap().sessions += 1;
    control.news.notify_waiters();
    loop {
        tokio::select! {
            frame = frames.recv() => match frame {
                Ok(frame) if frame.is_empty() => return,
                Ok(frame) => socket.send(Message::Text(frame.into())).await.unwrap(),
                Err(_) => return,
            },
            heard = socket.recv() => match heard {
                Some(Ok(Message::Text(text))) => {
                    control.state.lock().unwrap().acs.push(serde_json::from_str(&text).unwrap());
                    control.news.notify_waiters();
                }
                Some(Ok(_)) => {}
                _ => return,
            },
        }
    }
}

async fn tcs(State(control): State<Arc<Control>>, upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(async move |mut socket| {
        while let Some(Ok(message)) = socket.recv().await {
            if let Message::Text(text) = message {
                control.state.lock().unwrap().tcs.push(text.to_string());
                control.news.notify_waiters();
                let ack = json!({"type": "AckPublishMetric", "message": {"message": ""}}).to_string();
                if socket.send(Message::Text(ack.into())).await.is_err() {
                    return;
                }
            }
        }
    })
}

async fn registry(State(control): State<Arc<Control>>, method: Method, Path(rest): Path<String>) -> Response {
    let image = &control.image;
    let last = rest.rsplit('/').next().unwrap();
    let (bytes, kind, digest) = if rest.contains("/manifests/") {
        if last != "latest" && last != image.digest {
            return StatusCode::NOT_FOUND.into_response();
        }
        (image.manifest.clone(), "application/vnd.oci.image.manifest.v1+json", image.digest.clone())
    } else if let Some(blob) = image.blobs.get(last) {
        (blob.clone(), "application/octet-stream", last.to_owned())
    } else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let headers = [
        ("content-type", kind.to_owned()),
        ("docker-content-digest", digest),
        ("content-length", bytes.len().to_string()),
    ];
    match method {
        Method::HEAD => (headers, Bytes::new()).into_response(),
        _ => (headers, bytes).into_response(),
    }
}
