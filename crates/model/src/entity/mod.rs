//! The things there are. Each carries typed fields for what decisions need, and opaque
//! [`Document`]s for what the API only promises to give back.

mod account_setting;
mod cluster;
mod definition;
mod document;
mod instance;
mod join;
mod lifecycle;
mod placement;
mod run;
mod service;
mod service_deployment;
mod service_revision;
mod size;
mod tags;
mod task;
mod token;

pub use account_setting::{AccountSetting, SettingKey};
pub use cluster::{CapacityStrategyItem, Cluster, ClusterStatus};
pub use definition::{
    ContainerShape, DefinitionRef, DefinitionStatus, Family as FamilyRecord, HostPort, LaunchType,
    NetworkMode, RuntimePlatform, TaskDefinition, Transport, gpus_of,
};
pub use document::Document;
pub use instance::{
    Attribute, BUILT_IN_PROVIDERS, CUSTOM_ATTRIBUTES_ALLOWED, ContainerInstance, Home, InstanceStatus, Subnet,
};
pub use join::{InstanceKey, JoinToken};
pub use lifecycle::{
    DeploymentStrategy, Hook, HookAction, HookRun, HookStatus, HookTarget, Lifecycle, Shift, Stage, Stages,
};
pub use placement::{ConstraintKind, PlacementConstraint, PlacementStrategy, StrategyKind};
pub use run::Run;
pub use service::{
    Breaker, ControllerType, Deployment, DeploymentStatus, EVENTS_KEPT, PropagateTags, RolloutState,
    SchedulingStrategy, Service, ServiceEvent, ServiceStatus, TaskSet, Threshold, ThresholdKind, Throttle,
};
pub use service_deployment::{
    HISTORY_KEPT, HISTORY_MS, RevisionCounts, Rollback, ServiceDeployment, ServiceDeploymentStatus,
    SourceRevision, StopType, Watch, WatchStatus,
};
pub use service_revision::{RevisionImage, ServiceRevision};
pub use size::Size;
pub use tags::{TAGS_ALLOWED, Tag, Tags};
pub use task::{
    AttachmentStatus, Connectivity, Container, ContainerStatus, DesiredStatus, Eni, Health, Stop, StopCode,
    Task, TaskStatus,
};
pub use token::{ClientToken, TOKEN_LIFETIME_MS, TokenKey, TokenResult};
