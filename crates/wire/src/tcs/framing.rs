//! An agent's TCS frame: `Name: value` lines ended by CRLF, an empty line, the JSON.
//!
//! The headers are those of a SigV4-signed GET of the websocket's URL with the JSON as its body:
//! `Authorization`, `Host`, `X-Amz-Date` and, with a session token, `X-Amz-Security-Token`.

use crate::form;

/// Header names and values, in the order of the frame.
pub type HeaderBlock = Vec<(String, String)>;

/// Takes the header block off a frame. A frame that begins with `{` has none.
pub fn split(frame: &str) -> (HeaderBlock, &str) {
    if frame.trim_start().starts_with('{') {
        return (HeaderBlock::new(), frame);
    }
    let Some((block, body)) = frame.split_once("\r\n\r\n") else {
        return (HeaderBlock::new(), frame);
    };
    let headers = block.split("\r\n").filter_map(|line| line.split_once(':'));
    let trimmed = headers.map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()));
    (trimmed.collect(), body)
}

/// Puts a header block in front of a frame's JSON.
pub fn join(headers: &[(String, String)], json: &str) -> String {
    let mut frame = String::with_capacity(json.len() + 512);
    for (name, value) in headers {
        frame.push_str(name);
        frame.push_str(": ");
        frame.push_str(value);
        frame.push_str("\r\n");
    }
    frame.push_str("\r\n");
    frame.push_str(json);
    frame
}

/// The query of the TCS websocket's URL.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionQuery {
    /// A short name or an ARN.
    pub cluster: String,
    /// An ARN.
    pub container_instance: String,
    pub agent_version: String,
    pub agent_hash: String,
    pub docker_version: String,
}

impl SessionQuery {
    /// `query`: what stands behind the `?`, percent-encoded. Missing keys are empty.
    pub fn parse(query: &str) -> Self {
        let pairs = form::pairs(query);
        let get =
            |key: &str| pairs.iter().find(|(k, _)| k == key).map(|(_, v)| v.clone()).unwrap_or_default();
        Self {
            cluster: get("cluster"),
            container_instance: get("containerInstance"),
            agent_version: get("agentVersion"),
            agent_hash: get("agentHash"),
            docker_version: get("dockerVersion"),
        }
    }

    /// Percent-encoded, without the `?`; keys in the order that SigV4 sorts them to.
    pub fn encode(&self) -> String {
        form::encode(&[
            ("agentHash", &self.agent_hash),
            ("agentVersion", &self.agent_version),
            ("cluster", &self.cluster),
            ("containerInstance", &self.container_instance),
            ("dockerVersion", &self.docker_version),
        ])
    }
}
