//! `PutReplicationConfiguration`, `DescribeRegistry` and `DescribeImageReplicationStatus`. What replicates is
//! `state/command/replication.rs` on this server, and `crate::replication` to others.

use std::collections::BTreeSet;

use wire::{
    Context, Error,
    ecr::{
        DeleteReplication, DescribeImageReplicationStatusRequest, DescribeImageReplicationStatusResponse,
        DescribeRegistryRequest, DescribeRegistryResponse, ImageReplicationStatus,
        PutReplicationConfigurationRequest, PutReplicationConfigurationResponse, ReplicationConfiguration,
        ReplicationDestination, ReplicationRule, ReplicationStatus, RepositoryFilter, RepositoryFilterType,
    },
};

use super::{
    error::{internal, invalid, write},
    image::resolve,
    repository::{find, scope},
};
use crate::{
    Shared,
    state::{
        command::ChangeRegistry,
        entities::{DestinationRecord, RegistrySettings, Replica, ReplicationRuleRecord, Scope},
    },
};

/// Of all rules together (ECR user guide, "Private image replication", considerations).
const DESTINATIONS_MOST: usize = 25;

pub(super) async fn put(
    shared: &Shared,
    context: &Context,
    input: PutReplicationConfigurationRequest,
) -> Result<PutReplicationConfigurationResponse, Error> {
    let scope = scope(context);
    let rules = input.replication_configuration.rules.into_iter();
    let rules = rules.map(|rule| record(shared, &scope, rule)).collect::<Result<Vec<_>, Error>>()?;
    let destinations: BTreeSet<&DestinationRecord> =
        rules.iter().flat_map(|rule| &rule.destinations).collect();
    if destinations.len() > DESTINATIONS_MOST {
        let constraint = format!("must have at most {DESTINATIONS_MOST} unique destinations");
        return Err(invalid("replicationConfiguration", &constraint));
    }
    let told = told(&rules);
    let edit = move |settings: &mut RegistrySettings| {
        settings.replication = rules;
        Ok(())
    };
    shared.writer.submit(ChangeRegistry { scope, edit }).await.map_err(write)?;
    Ok(PutReplicationConfigurationResponse { replication_configuration: Some(told) })
}

pub(super) async fn describe_registry(
    shared: &Shared,
    context: &Context,
    _: DescribeRegistryRequest,
) -> Result<DescribeRegistryResponse, Error> {
    let index = shared.writer.index();
    let rules = index.registry(&scope(context)).map_or(&[][..], |settings| &settings.replication);
    Ok(DescribeRegistryResponse {
        registry_id: Some(context.account.clone()),
        replication_configuration: Some(told(rules)),
    })
}

pub(super) async fn describe_status(
    shared: &Shared,
    context: &Context,
    input: DescribeImageReplicationStatusRequest,
) -> Result<DescribeImageReplicationStatusResponse, Error> {
    let (key, repository) = find(shared, context, input.registry_id.as_deref(), &input.repository_name)?;
    let (_, manifest) = resolve(&key, &repository, &input.image_id)?;
    let status = |(place, replica): (&String, &Replica)| {
        let scope = Scope::of_place(place)?;
        Some(ImageReplicationStatus {
            region: Some(scope.region),
            registry_id: Some(scope.account),
            status: Some(match (&replica.pending, &replica.failure) {
                (Some(_), _) => ReplicationStatus::InProgress,
                (None, None) => ReplicationStatus::Complete,
                (None, Some(_)) => ReplicationStatus::Failed,
            }),
            failure_code: replica.failure.clone().filter(|_| replica.pending.is_none()),
        })
    };
    Ok(DescribeImageReplicationStatusResponse {
        repository_name: Some(input.repository_name),
        image_id: Some(input.image_id),
        replication_statuses: Some(manifest.replicated.iter().filter_map(status).collect()),
    })
}

fn record(shared: &Shared, own: &Scope, rule: ReplicationRule) -> Result<ReplicationRuleRecord, Error> {
    if rule.delete_replication.as_ref().is_some_and(|deletes| deletes.enabled) {
        return Err(invalid("deleteReplication.enabled", "must be false: deletions are not replicated here"));
    }
    let destination = |to: ReplicationDestination| {
        let to = Scope { account: to.registry_id, region: to.region };
        if to == *own {
            return Err(invalid("destinations", "must not be the registry itself"));
        }
        let peer = shared.peers.find(&to).map_err(|error| internal(&error))?;
        // A server has one account: another's registry is on another server.
        if to.account != own.account && peer.is_none() {
            let constraint = "must be of the caller's registry, or of one in the server's file of peers";
            return Err(invalid("destinations.registryId", constraint));
        }
        Ok(DestinationRecord { scope: to, is_elsewhere: peer.is_some() })
    };
    let destinations = rule.destinations.into_iter().map(destination).collect::<Result<_, Error>>()?;
    let prefixes = rule.repository_filters.map(|filters| filters.into_iter().map(|f| f.filter).collect());
    Ok(ReplicationRuleRecord { destinations, prefixes, tells_deletes: rule.delete_replication.is_some() })
}

fn told(rules: &[ReplicationRuleRecord]) -> ReplicationConfiguration {
    let destination = |to: &DestinationRecord| ReplicationDestination {
        region: to.scope.region.clone(),
        registry_id: to.scope.account.clone(),
    };
    let filter = |prefix: &String| RepositoryFilter {
        filter: prefix.clone(),
        filter_type: RepositoryFilterType::PrefixMatch,
    };
    let rule = |rule: &ReplicationRuleRecord| ReplicationRule {
        destinations: rule.destinations.iter().map(destination).collect(),
        repository_filters: rule.prefixes.as_ref().map(|prefixes| prefixes.iter().map(filter).collect()),
        delete_replication: rule.tells_deletes.then_some(DeleteReplication { enabled: false }),
    };
    ReplicationConfiguration { rules: rules.iter().map(rule).collect() }
}
