//! Everything that may be asked to change. A command carries all that its outcome depends on beside
//! the world and the time: ids, seeds and fingerprints included.

use crate::{
    entity::*,
    ids::*,
    key::{ClusterKey, DefinitionKey, Scope, ServiceKey},
};
use std::sync::Arc;

/// A `clientToken` with what identifies the call's parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    pub operation: Arc<str>,
    pub token: Arc<str>,
    pub fingerprint: Arc<str>,
}

/// A task that the planner has found a place for. Its containers, size and ports follow from the
/// definition; addresses and GPUs are given when the command is applied.
#[derive(Debug, Clone, PartialEq)]
pub struct NewTask {
    pub id: TaskId,
    pub cluster: ClusterKey,
    pub definition: DefinitionRef,
    pub instance: InstanceId,
    pub launch_type: LaunchType,
    pub capacity_provider: Option<Arc<str>>,
    pub platform_version: Option<Arc<str>>,
    pub platform_family: Option<Arc<str>>,
    pub group: Option<Group>,
    /// The instance may have no other task of the group.
    pub distinct_instance: bool,
    pub started_by: Option<StartedBy>,
    pub service: Option<ServiceName>,
    pub deployment: Option<DeploymentId>,
    /// The size after overrides; `None` takes the definition's.
    pub size: Option<Size>,
    /// How many GPUs each container asks for after overrides, in the definition's order; `None` takes the definition's.
    pub gpus: Option<Vec<u32>>,
    pub overrides: Option<Document>,
    pub network: Option<Document>,
    /// The subnet that the user named, to be given back.
    pub subnet: Option<Arc<str>>,
    pub tags: Tags,
    pub enable_execute_command: bool,
    pub ephemeral_storage_gib: Option<u32>,
    pub run: Option<Run>,
    pub document: Option<Document>,
}

/// A configuration that a service is to be brought to.
#[derive(Debug, Clone, PartialEq)]
pub struct NewDeployment {
    pub id: DeploymentId,
    pub definition: DefinitionRef,
    pub launch_type: LaunchType,
    pub capacity_strategy: Vec<CapacityStrategyItem>,
    pub platform_version: Option<Arc<str>>,
    pub platform_family: Option<Arc<str>>,
    pub network: Option<Document>,
    /// The subnet of `network` that the tasks are to be in, given back with each.
    pub subnet: Option<Arc<str>>,
    pub document: Option<Document>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct NewService {
    pub key: ServiceKey,
    pub desired_count: u32,
    pub scheduling: SchedulingStrategy,
    pub controller: ControllerType,
    pub minimum_healthy_percent: u32,
    pub maximum_percent: u32,
    pub breaker: Breaker,
    pub stages: Option<Arc<Stages>>,
    pub alarms: Option<Document>,
    pub health_check_grace_s: Option<u32>,
    /// Absent for controllers other than ECS.
    pub deployment: Option<NewDeployment>,
    pub placement_constraints: Vec<PlacementConstraint>,
    pub placement_strategy: Vec<PlacementStrategy>,
    pub propagate_tags: PropagateTags,
    pub managed_tags: bool,
    pub enable_execute_command: bool,
    pub tags: Tags,
    pub created_by: Option<Arc<str>>,
    pub document: Option<Document>,
}

/// `None` leaves a field as it is; of a doubled `Option` the inner `None` clears it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ServiceChange {
    pub desired_count: Option<u32>,
    pub minimum_healthy_percent: Option<u32>,
    pub maximum_percent: Option<u32>,
    pub breaker: Option<Breaker>,
    pub stages: Option<Option<Arc<Stages>>>,
    pub alarms: Option<Option<Document>>,
    pub health_check_grace_s: Option<Option<u32>>,
    pub placement_constraints: Option<Vec<PlacementConstraint>>,
    pub placement_strategy: Option<Vec<PlacementStrategy>>,
    pub propagate_tags: Option<PropagateTags>,
    pub managed_tags: Option<bool>,
    pub enable_execute_command: Option<bool>,
    pub document: Option<Option<Document>>,
    /// Given when the tasks must be replaced: it becomes the PRIMARY deployment.
    pub deployment: Option<NewDeployment>,
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct ClusterChange {
    pub settings: Option<Option<Document>>,
    pub configuration: Option<Option<Document>>,
    pub capacity_providers: Option<Vec<Arc<str>>>,
    pub default_strategy: Option<Vec<CapacityStrategyItem>>,
    pub service_connect_defaults: Option<Option<Document>>,
}

/// A task definition before it has its number.
#[derive(Debug, Clone, PartialEq)]
pub struct NewDefinition {
    pub scope: Scope,
    pub family: Family,
    pub cpu: Option<u32>,
    pub memory_mib: Option<u32>,
    pub network_mode: NetworkMode,
    pub compatibilities: Vec<LaunchType>,
    pub requires_compatibilities: Vec<LaunchType>,
    pub requires_attributes: Vec<Attribute>,
    /// The expressions of its `memberOf` placement constraints.
    pub member_of: Vec<Arc<str>>,
    pub platform: RuntimePlatform,
    pub containers: Vec<ContainerShape>,
    pub ephemeral_storage_gib: Option<u32>,
    pub document: Document,
    pub tags: Tags,
    pub registered_by: Option<Arc<str>>,
}

/// What an agent says when it registers, for the first time or again.
#[derive(Debug, Clone, PartialEq)]
pub struct Registration {
    pub id: InstanceId,
    pub home: Home,
    pub attributes: Vec<Attribute>,
    pub total: Size,
    pub reserved_ports: Vec<HostPort>,
    /// Ids, each once.
    pub gpus: Vec<Arc<str>>,
    pub subnet: Option<Subnet>,
    pub version_info: Option<Document>,
    pub agent_version: Option<Arc<str>>,
    pub ec2_instance_id: Option<Arc<str>>,
    pub tags: Tags,
    pub document: Option<Document>,
    /// Of an agent that doesn't know yet which instance it is, with the scope that the token is of.
    pub token: Option<(Scope, Token)>,
}

/// The state of one container as its agent saw it. A list may hold several entries for one
/// container; they are taken in their order.
#[derive(Debug, Clone, PartialEq)]
pub struct ContainerReport {
    pub name: Arc<str>,
    pub status: ContainerStatus,
    pub runtime_id: Option<Box<str>>,
    pub exit_code: Option<i32>,
    pub reason: Option<Box<str>>,
    pub image_digest: Option<Arc<str>>,
    pub network_bindings: Option<Document>,
}

/// A state that an agent can report for a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportedStatus {
    Pending,
    Running,
    Stopped,
}

/// SubmitTaskStateChange, as far as it concerns the task's state.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TaskReport {
    /// Absent where only attachments or containers changed.
    pub status: Option<ReportedStatus>,
    /// Empty when the agent had nothing to say.
    pub reason: Option<Arc<str>>,
    pub containers: Vec<ContainerReport>,
    pub pull_started_at_ms: Option<u64>,
    pub pull_stopped_at_ms: Option<u64>,
    pub execution_stopped_at_ms: Option<u64>,
    /// Attachments by their id.
    pub attachments: Vec<(Uuid, AttachmentStatus)>,
}

/// Something that can have tags.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Resource {
    Cluster(ClusterKey),
    Service(ServiceKey),
    Task(ClusterKey, TaskId),
    Definition(DefinitionKey),
    Instance(ClusterKey, InstanceId),
}

/// What the reconciler decided for a service, seen at one version of it.
#[derive(Debug, Clone, PartialEq)]
pub struct ServiceStep {
    pub service: ServiceKey,
    /// The plan holds for this version of the service only.
    pub expected_version: u64,
    pub starts: Vec<NewTask>,
    pub stops: Vec<(TaskId, Stop)>,
    pub deployments: Vec<DeploymentStep>,
    /// Oldest first.
    pub events: Vec<ServiceEvent>,
    pub steady: Option<bool>,
    /// Draining has ended.
    pub inactive: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct DeploymentStep {
    pub id: DeploymentId,
    pub change: DeploymentChange,
}

#[derive(Debug, Clone, PartialEq)]
pub enum DeploymentChange {
    /// So many tasks are wanted; of a DAEMON service that is what the service wants, too.
    Desired(u32),
    /// This is the first step that is taken for it.
    Begin,
    Rollout(RolloutState, Arc<str>),
    /// Of a task set: whether it is as it is wanted.
    Stable(bool),
    /// It comes to another stage, or step.
    Stage(Box<Lifecycle>),
    /// So many of its tasks are stopped because they failed their health checks.
    Failed(u32),
    /// It becomes the PRIMARY one again and takes over from what is so now, with this for a reason.
    RollBack(Arc<str>),
    /// It has no tasks left and is not the PRIMARY one.
    Remove,
}

/// A pushed image that a service is to run: the revision that names it, and the deployment to it.
#[derive(Debug, Clone, PartialEq)]
pub struct PushDeployment {
    pub service: ServiceKey,
    /// The change was made of this version of the service only.
    pub expected_version: u64,
    /// The number that the registry gave the push.
    pub push: u64,
    pub definition: NewDefinition,
    /// The number that the definition is to get: the change names it.
    pub revision: Revision,
    pub change: ServiceChange,
    pub event: ServiceEvent,
}

/// What a hook said when it was asked.
#[derive(Debug, Clone, PartialEq)]
pub enum HookAnswer {
    Succeeded,
    Failed,
    /// It wants to be asked again, and to be told this then.
    Later {
        after_ms: u64,
        details: Option<Document>,
    },
}

/// What may be dropped from the world when its time is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Forgettable {
    Task(TaskId),
    Cluster(ClusterKey),
    Service(ServiceKey),
    Instance(InstanceId),
    Definition(DefinitionKey),
    Token(TokenKey),
}

/// A machine that wants to join.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Join {
    pub token: Arc<str>,
    pub secret_hash: Arc<str>,
    pub attempt: Arc<str>,
    /// What it gets, if it hasn't got anything for the attempt.
    pub key: Arc<str>,
    pub instance: InstanceId,
}

/// One change that is asked for.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// A no-op when an ACTIVE cluster of that name exists (ECS API reference, CreateCluster).
    CreateCluster {
        key: ClusterKey,
        change: ClusterChange,
        tags: Tags,
    },
    UpdateCluster {
        key: ClusterKey,
        change: ClusterChange,
    },
    DeleteCluster {
        key: ClusterKey,
    },
    RegisterTaskDefinition(Box<NewDefinition>),
    DeregisterTaskDefinition {
        key: DefinitionKey,
    },
    /// One at a time: the API answers for each definition by itself.
    DeleteTaskDefinition {
        key: DefinitionKey,
    },
    StartTasks {
        tasks: Vec<NewTask>,
        token: Option<Token>,
    },
    StopTask {
        cluster: ClusterKey,
        task: TaskId,
        code: StopCode,
        reason: Arc<str>,
    },
    /// A task whose deadline has come ends. A no-op for one that ends already.
    TimeOut {
        task: TaskId,
    },
    /// Another attempt in place of one that has failed. A no-op where one was made.
    Retry {
        of: TaskId,
        task: Box<NewTask>,
    },
    /// Protects tasks from scale-in and deployments until a time (milliseconds since the epoch), or
    /// ends their protection. Those that can't be protected are left as they are.
    ProtectTasks {
        cluster: ClusterKey,
        tasks: Vec<TaskId>,
        until_ms: Option<u64>,
    },
    PutAccountSetting(AccountSetting),
    DeleteAccountSetting(SettingKey),
    RegisterInstance(Box<Registration>),
    DeregisterInstance {
        id: InstanceId,
        force: bool,
    },
    CreateJoinToken(JoinToken),
    RevokeJoinToken {
        id: Arc<str>,
    },
    /// A no-op where the attempt has brought a key before.
    Join(Join),
    SetInstanceStatus {
        id: InstanceId,
        status: InstanceStatus,
    },
    /// Gives instances of one cluster attributes, all of them or none.
    PutAttributes {
        cluster: ClusterKey,
        attributes: Vec<(InstanceId, Attribute)>,
    },
    /// By name. What isn't there is passed over.
    DeleteAttributes {
        cluster: ClusterKey,
        names: Vec<(InstanceId, Arc<str>)>,
    },
    SetAgentConnected {
        id: InstanceId,
        connected: bool,
    },
    /// The agent's session of that number ([`ContainerInstance::session`]) is over. A no-op where a later one has begun.
    EndSession {
        id: InstanceId,
        session: u64,
    },
    /// Its agent has been away since then, for too long: services replace what it ran. A no-op for one that has been seen
    /// since.
    LoseInstance {
        id: InstanceId,
        away_since_ms: u64,
    },
    /// What an agent says of itself when it connects: the version, and all of it as an API client is told.
    ReportAgentVersion {
        id: InstanceId,
        agent: Arc<str>,
        info: Document,
    },
    /// At start: whatever sessions there were are gone.
    DropSessions,
    /// The agent has confirmed a payload that held these tasks with these desired states.
    AcknowledgePayload {
        instance: InstanceId,
        tasks: Vec<(TaskId, DesiredStatus)>,
    },
    ReportTask {
        cluster: ClusterKey,
        task: TaskId,
        report: TaskReport,
    },
    ReportContainer {
        cluster: ClusterKey,
        task: TaskId,
        report: ContainerReport,
    },
    /// By attachment id, whatever task it belongs to.
    ReportAttachment {
        instance: Option<InstanceId>,
        attachment: Uuid,
        status: AttachmentStatus,
    },
    /// From telemetry: container name and what its health check says.
    ReportHealth {
        task: TaskId,
        containers: Vec<(Arc<str>, Health)>,
    },
    ReportInstanceHealth {
        id: InstanceId,
        health: Document,
    },
    CreateService {
        service: Box<NewService>,
        token: Option<Token>,
    },
    UpdateService {
        key: ServiceKey,
        /// The change was made of this version of the service, and holds for no other.
        expected_version: u64,
        change: Box<ServiceChange>,
    },
    /// Once a push: a service that has taken this one or a later one is left alone.
    DeployPush(Box<PushDeployment>),
    /// Without `force` the service must be scaled to zero first.
    DeleteService {
        key: ServiceKey,
        force: bool,
    },
    ServiceStep(Box<ServiceStep>),
    /// Asks the service's scheduler to end a deployment that is under way. A no-op for one that ends already.
    StopDeployment {
        service: ServiceKey,
        deployment: DeploymentId,
        stop: StopType,
    },
    /// A hook of a deployment has answered. A no-op for one that isn't waited for any more.
    AnswerHook {
        service: ServiceKey,
        run: Arc<str>,
        answer: HookAnswer,
    },
    /// How a deployment that a hook has paused is to go on.
    ContinueDeployment {
        service: ServiceKey,
        deployment: DeploymentId,
        hook: Arc<str>,
        action: HookAction,
    },
    /// Of a service whose deployments somebody else decides on (ECS API reference, CreateTaskSet).
    CreateTaskSet {
        service: ServiceKey,
        deployment: Box<NewDeployment>,
        external_id: Option<Arc<str>>,
        /// Percent of the service's desired count.
        scale: f64,
        tags: Tags,
        token: Option<Token>,
    },
    ScaleTaskSet {
        service: ServiceKey,
        set: DeploymentId,
        scale: f64,
    },
    SetPrimaryTaskSet {
        service: ServiceKey,
        set: DeploymentId,
    },
    /// Without `force` it must be scaled to zero first. It drains, then it is gone.
    DeleteTaskSet {
        service: ServiceKey,
        set: DeploymentId,
        force: bool,
    },
    Tag {
        resource: Resource,
        tags: Vec<Tag>,
    },
    Untag {
        resource: Resource,
        keys: Vec<Box<str>>,
    },
    /// What `plan::reap` listed; whatever isn't (or is no longer) ready to go is left.
    Forget(Vec<Forgettable>),
}
