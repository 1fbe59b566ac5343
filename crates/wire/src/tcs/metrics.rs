//! Metrics of tasks' containers: each value is the statistics of about one sample a second over
//! the window since the last report.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::types::Timestamp;

/// Straight after connecting, then every 20 s; at most ten tasks or 1 MiB to a page.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PublishMetricsRequest {
    pub metadata: MetricsMetadata,
    #[serde(default)]
    pub task_metrics: Vec<TaskMetric>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_metrics: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<Timestamp>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MetricsMetadata {
    pub cluster: String,
    pub container_instance: String,
    /// The same for all pages of a report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// Nothing runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle: Option<bool>,
    /// The last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fin: Option<bool>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskMetric {
    pub task_arn: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster_arn: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_definition_family: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_definition_version: Option<String>,
    #[serde(default)]
    pub container_metrics: Vec<ContainerMetric>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ephemeral_storage_metrics: Option<Value>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub volume_metrics: Vec<VolumeMetric>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub service_connect_metrics_wrapper: Vec<Value>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VolumeMetric {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub utilized: Option<Statistics>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<Statistics>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerMetric {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container_arn: Option<String>,
    /// Percent of one core: may exceed 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_stats_set: Option<Statistics>,
    /// MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_stats_set: Option<Statistics>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_stats_set: Option<StorageStatistics>,
    /// Not with `host` networking.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_stats_set: Option<NetworkStatistics>,
    /// Only with a restart policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restart_stats_set: Option<RestartStatistics>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Statistics {
    #[serde(default)]
    pub min: f64,
    #[serde(default)]
    pub max: f64,
    #[serde(default)]
    pub sum: f64,
    #[serde(default)]
    pub sample_count: i64,
}

/// Whole numbers that may exceed an `i64`: the true value is the part plus its overflow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LongStatistics {
    #[serde(default)]
    pub min: i64,
    #[serde(default)]
    pub max: i64,
    #[serde(default)]
    pub sum: i64,
    #[serde(default)]
    pub sample_count: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overflow_min: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overflow_max: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overflow_sum: Option<i64>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StorageStatistics {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_size_bytes: Option<LongStatistics>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub write_size_bytes: Option<LongStatistics>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NetworkStatistics {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rx_bytes: Option<LongStatistics>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rx_packets: Option<LongStatistics>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rx_errors: Option<LongStatistics>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rx_dropped: Option<LongStatistics>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rx_bytes_per_second: Option<Statistics>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tx_bytes: Option<LongStatistics>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tx_packets: Option<LongStatistics>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tx_errors: Option<LongStatistics>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tx_dropped: Option<LongStatistics>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tx_bytes_per_second: Option<Statistics>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RestartStatistics {
    #[serde(default)]
    pub restart_count: i64,
}
