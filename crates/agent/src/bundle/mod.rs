//! The OCI bundle of a task's container: its runtime specification and its cgroups.
