//! `DescribeRegistry`.

use wire::{
    Context, Error,
    ecr::{DescribeRegistryRequest, DescribeRegistryResponse, ReplicationConfiguration},
};

use crate::Shared;

/// Nothing is replicated yet: there are no rules.
pub(super) async fn call(
    _: &Shared,
    context: &Context,
    _: DescribeRegistryRequest,
) -> Result<DescribeRegistryResponse, Error> {
    Ok(DescribeRegistryResponse {
        registry_id: Some(context.account.clone()),
        replication_configuration: Some(ReplicationConfiguration { rules: Vec::new() }),
    })
}
