//! What an agent says when it connects, and how a connection is refused.

use serde_json::{Value, json};

use crate::form;

/// The query of the ACS websocket's URL.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionQuery {
    /// A short name or an ARN, as the agent was configured.
    pub cluster: String,
    pub container_instance_arn: String,
    pub agent_version: String,
    pub agent_hash: String,
    pub docker_version: String,
    /// The agent's process has not connected before: it wants the credentials of all its tasks.
    pub send_credentials: bool,
}

impl SessionQuery {
    /// `query`: what stands behind the `?`, percent-encoded. Missing keys are empty.
    pub fn parse(query: &str) -> Self {
        let pairs = form::pairs(query);
        let get =
            |key: &str| pairs.iter().find(|(k, _)| k == key).map(|(_, v)| v.clone()).unwrap_or_default();
        Self {
            cluster: get("clusterArn"),
            container_instance_arn: get("containerInstanceArn"),
            agent_version: get("agentVersion"),
            agent_hash: get("agentHash"),
            docker_version: get("dockerVersion"),
            send_credentials: get("sendCredentials") == "true",
        }
    }

    /// Percent-encoded, without the `?`; keys in the order that SigV4 sorts them to.
    pub fn encode(&self) -> String {
        form::encode(&[
            ("agentHash", &self.agent_hash),
            ("agentVersion", &self.agent_version),
            ("clusterArn", &self.cluster),
            ("containerInstanceArn", &self.container_instance_arn),
            ("dockerVersion", &self.docker_version),
            ("protocolVersion", "2"),
            ("sendCredentials", if self.send_credentials { "true" } else { "false" }),
            ("seqNum", "1"),
        ])
    }
}

/// The body of a handshake that is answered with anything but 101.
///
/// `InactiveInstanceException` makes the official agent sleep for an hour; every other error, or
/// none, makes it try again with backoff.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub error: String,
    pub message: String,
}

impl Refusal {
    pub fn inactive_instance(message: impl Into<String>) -> Self {
        Self { error: "InactiveInstanceException".into(), message: message.into() }
    }

    pub fn encode(&self) -> String {
        json!({ self.error.as_str(): self.message }).to_string()
    }

    /// Reads both forms: `{"<error>": "text"}`, and a frame whose type is the error.
    pub fn parse(body: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(body).ok()?;
        let object = value.as_object()?;
        if let Some(error) = object.get("type").and_then(Value::as_str) {
            let text = object.get("message").and_then(|m| m.get("message").or(Some(m)));
            let message = text.and_then(Value::as_str).unwrap_or_default();
            return Some(Self { error: error.into(), message: message.into() });
        }
        let (error, message) = object.iter().next().filter(|_| object.len() == 1)?;
        Some(Self { error: error.clone(), message: message.as_str()?.into() })
    }
}
