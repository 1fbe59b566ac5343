//! `PutReplicationConfiguration`, `DescribeRegistry` and `DescribeImageReplicationStatus`. What replicates is
//! `state/command/replication.rs`.

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
    error::{invalid, write},
    image::resolve,
    repository::{find, scope},
};
use crate::{
    Shared,
    state::{
        command::ChangeRegistry,
        entities::{RegistrySettings, ReplicationRuleRecord, Scope},
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
    let rules = rules.map(|rule| record(&scope, rule)).collect::<Result<Vec<_>, Error>>()?;
    let destinations: BTreeSet<&Scope> = rules.iter().flat_map(|rule| &rule.destinations).collect();
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
    let status = |(region, failure): (&String, &Option<String>)| ImageReplicationStatus {
        region: Some(region.clone()),
        registry_id: Some(key.scope.account.clone()),
        status: Some(match failure {
            None => ReplicationStatus::Complete,
            Some(_) => ReplicationStatus::Failed,
        }),
        failure_code: failure.clone(),
    };
    Ok(DescribeImageReplicationStatusResponse {
        repository_name: Some(input.repository_name),
        image_id: Some(input.image_id),
        replication_statuses: Some(manifest.replicated.iter().map(status).collect()),
    })
}

fn record(own: &Scope, rule: ReplicationRule) -> Result<ReplicationRuleRecord, Error> {
    if rule.delete_replication.as_ref().is_some_and(|deletes| deletes.enabled) {
        return Err(invalid("deleteReplication.enabled", "must be false: deletions are not replicated here"));
    }
    let destination = |to: ReplicationDestination| {
        let to = Scope { account: to.registry_id, region: to.region };
        if to == *own {
            return Err(invalid("destinations", "must not be the registry itself"));
        }
        // A server has one account: another's registry is on another server.
        if to.account != own.account {
            let constraint = "must be of the caller's registry: no other is on this server";
            return Err(invalid("destinations.registryId", constraint));
        }
        Ok(to)
    };
    let destinations = rule.destinations.into_iter().map(destination).collect::<Result<_, Error>>()?;
    let prefixes = rule.repository_filters.map(|filters| filters.into_iter().map(|f| f.filter).collect());
    Ok(ReplicationRuleRecord { destinations, prefixes, tells_deletes: rule.delete_replication.is_some() })
}

fn told(rules: &[ReplicationRuleRecord]) -> ReplicationConfiguration {
    let destination = |scope: &Scope| ReplicationDestination {
        region: scope.region.clone(),
        registry_id: scope.account.clone(),
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
