//! TCS: the websocket on which an agent reports metrics, health and its instance's status.
//!
//! The only channel for containers' health. The server's frames are plain JSON; the agent's carry
//! a signed block of headers in front, see [`framing`]. Any acknowledgement keeps the session
//! alive; none is matched to a message, and what is not acknowledged is not sent again.

pub mod framing;
pub mod health;
pub mod metrics;

pub use framing::{HeaderBlock, SessionQuery, join, split};
pub use health::{
    ContainerHealth, HealthMetadata, InstanceStatus, InstanceStatusMetadata, PublishHealthRequest,
    PublishInstanceStatusRequest, TaskHealth,
};
pub use metrics::{ContainerMetric, MetricsMetadata, PublishMetricsRequest, TaskMetric};

use serde::{Deserialize, Serialize};

use crate::acs::frame::{self, Decoded, FrameError};
use crate::acs::{HeartbeatMessage, Notice};

/// What an agent sends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "message")]
pub enum ToServer {
    PublishMetricsRequest(PublishMetricsRequest),
    PublishHealthRequest(PublishHealthRequest),
    PublishInstanceStatusRequest(PublishInstanceStatusRequest),
}

/// What the control plane sends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "message")]
pub enum ToAgent {
    AckPublishMetric(Notice),
    AckPublishHealth(Notice),
    AckPublishInstanceStatus(Notice),
    HeartbeatMessage(HeartbeatMessage),
    StopTelemetrySessionMessage(Notice),
    ServerException(Notice),
    BadRequestException(Notice),
    ResourceValidationException(Notice),
    InvalidParameterException(Notice),
}

impl ToServer {
    const TYPES: &[&str] = &["PublishMetricsRequest", "PublishHealthRequest", "PublishInstanceStatusRequest"];

    /// The JSON alone; [`join`] puts the headers in front.
    pub fn encode(&self) -> Result<String, FrameError> {
        frame::encode(self)
    }

    /// Reads a frame with or without its header block.
    pub fn decode(text: &str) -> Result<Decoded<Self>, FrameError> {
        frame::decode(split(text).1, Self::TYPES)
    }
}

impl ToAgent {
    const TYPES: &[&str] = &[
        "AckPublishMetric",
        "AckPublishHealth",
        "AckPublishInstanceStatus",
        "HeartbeatMessage",
        "StopTelemetrySessionMessage",
        "ServerException",
        "BadRequestException",
        "ResourceValidationException",
        "InvalidParameterException",
    ];

    pub fn encode(&self) -> Result<String, FrameError> {
        frame::encode(self)
    }

    pub fn decode(text: &str) -> Result<Decoded<Self>, FrameError> {
        frame::decode(text, Self::TYPES)
    }
}
