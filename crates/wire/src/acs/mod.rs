//! ACS: the websocket on which ECS's control plane tells an agent what to run.
//!
//! Both ways a frame is one JSON object in a text message, `{"type": …, "message": {…}}`. Unknown
//! members are ignored and unknown types are told apart from broken frames, because the official
//! agent drops the first silently and the second with a warning. Field names and types are those
//! which amazon-ecs-agent 1.105.1 reads; where it insists on an integer or on JSON text in a
//! string, so do these types.
//!
//! Start at [`ToAgent`] and [`ToServer`]; a task's description is in [`task`].

pub mod container;
pub mod docker;
pub mod frame;
pub mod handshake;
pub mod messages;
pub mod network;
pub mod task;

pub use container::Container;
pub use frame::{Decoded, FrameError};
pub use handshake::{Refusal, SessionQuery};
pub use messages::{
    AckRequest, AttachNetworkInterfacesMessage, Attachment, ConfirmAttachmentMessage, HeartbeatAckRequest,
    HeartbeatMessage, IamRoleCredentials, IamRoleCredentialsAckRequest, IamRoleCredentialsMessage,
    NackRequest, Notice, PayloadMessage, Property, RoleType, TaskIdentifier, TaskManifestMessage,
    TaskStopVerificationAck, TaskStopVerificationMessage, UpdateInfo, UpdateMessage,
};
pub use network::ElasticNetworkInterface;
pub use task::Task;

use serde::{Deserialize, Serialize};

/// What the control plane sends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "message")]
pub enum ToAgent {
    HeartbeatMessage(HeartbeatMessage),
    PayloadMessage(PayloadMessage),
    TaskManifestMessage(TaskManifestMessage),
    TaskStopVerificationAck(TaskStopVerificationAck),
    #[serde(rename = "IAMRoleCredentialsMessage")]
    IamRoleCredentialsMessage(IamRoleCredentialsMessage),
    AttachTaskNetworkInterfacesMessage(AttachNetworkInterfacesMessage),
    AttachInstanceNetworkInterfacesMessage(AttachNetworkInterfacesMessage),
    ConfirmAttachmentMessage(ConfirmAttachmentMessage),
    StageUpdateMessage(UpdateMessage),
    PerformUpdateMessage(UpdateMessage),
    /// Logged by the agent; the session stays open.
    ErrorMessage(Notice),
    /// Logged by the agent; the session stays open.
    CloseMessage(Notice),
}

/// What an agent sends. Acks come in any order, also among those of one payload.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "message")]
pub enum ToServer {
    AckRequest(AckRequest),
    NackRequest(NackRequest),
    HeartbeatAckRequest(HeartbeatAckRequest),
    #[serde(rename = "IAMRoleCredentialsAckRequest")]
    IamRoleCredentialsAckRequest(IamRoleCredentialsAckRequest),
    TaskStopVerificationMessage(TaskStopVerificationMessage),
}

impl ToAgent {
    const TYPES: &[&str] = &[
        "HeartbeatMessage",
        "PayloadMessage",
        "TaskManifestMessage",
        "TaskStopVerificationAck",
        "IAMRoleCredentialsMessage",
        "AttachTaskNetworkInterfacesMessage",
        "AttachInstanceNetworkInterfacesMessage",
        "ConfirmAttachmentMessage",
        "StageUpdateMessage",
        "PerformUpdateMessage",
        "ErrorMessage",
        "CloseMessage",
    ];

    /// The text of the websocket message.
    pub fn encode(&self) -> Result<String, FrameError> {
        frame::encode(self)
    }

    pub fn decode(text: &str) -> Result<Decoded<Self>, FrameError> {
        frame::decode(text, Self::TYPES)
    }
}

impl ToServer {
    const TYPES: &[&str] = &[
        "AckRequest",
        "NackRequest",
        "HeartbeatAckRequest",
        "IAMRoleCredentialsAckRequest",
        "TaskStopVerificationMessage",
    ];

    /// The text of the websocket message.
    pub fn encode(&self) -> Result<String, FrameError> {
        frame::encode(self)
    }

    pub fn decode(text: &str) -> Result<Decoded<Self>, FrameError> {
        frame::decode(text, Self::TYPES)
    }
}
