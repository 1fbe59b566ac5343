//! `PutRegistryScanningConfiguration`, `GetRegistryScanningConfiguration` and
//! `BatchGetRepositoryScanningConfiguration`: recorded, and told for each repository. Nothing is scanned by it.

use wire::{
    Context, Error,
    ecr::{
        BatchGetRepositoryScanningConfigurationRequest, BatchGetRepositoryScanningConfigurationResponse,
        GetRegistryScanningConfigurationRequest, GetRegistryScanningConfigurationResponse,
        PutRegistryScanningConfigurationRequest, PutRegistryScanningConfigurationResponse,
        RegistryScanningConfiguration, RegistryScanningRule, RepositoryScanningConfiguration,
        RepositoryScanningConfigurationFailure, ScanFrequency, ScanType, ScanningConfigurationFailureCode,
        ScanningRepositoryFilter, ScanningRepositoryFilterType,
    },
};

use super::{
    error::{invalid, repository_not_found, write},
    repository::{arn, find, scope},
};
use crate::{
    Shared,
    state::{
        command::PutScanning,
        entities::{ScanningRecord, ScanningRule},
    },
};

pub(super) async fn put(
    shared: &Shared,
    context: &Context,
    input: PutRegistryScanningConfigurationRequest,
) -> Result<PutRegistryScanningConfigurationResponse, Error> {
    let scan_type = input.scan_type.unwrap_or(ScanType::Basic);
    let rules = input.rules.unwrap_or_default();
    for rule in &rules {
        // API reference, `RegistryScanningRule`.
        let fits = match (scan_type, rule.scan_frequency) {
            (ScanType::Basic, ScanFrequency::ContinuousScan) => false,
            (ScanType::Enhanced, ScanFrequency::Manual) => false,
            (ScanType::Basic | ScanType::Enhanced, _) => true,
        };
        if !fits {
            let constraint = format!("{} is not supported for scan type {scan_type}", rule.scan_frequency);
            return Err(invalid("scanFrequency", &constraint));
        }
    }
    let rules = rules.into_iter().map(|rule| ScanningRule {
        frequency: rule.scan_frequency.as_str().to_owned(),
        filters: rule.repository_filters.into_iter().map(|filter| filter.filter).collect(),
    });
    let record = ScanningRecord { scan_type: scan_type.as_str().to_owned(), rules: rules.collect() };
    let told = told(&record);
    shared.writer.submit(PutScanning { scope: scope(context), record }).await.map_err(write)?;
    Ok(PutRegistryScanningConfigurationResponse { registry_scanning_configuration: Some(told) })
}

pub(super) async fn get(
    shared: &Shared,
    context: &Context,
    _: GetRegistryScanningConfigurationRequest,
) -> Result<GetRegistryScanningConfigurationResponse, Error> {
    let record = shared.writer.index().scanning(&scope(context));
    Ok(GetRegistryScanningConfigurationResponse {
        registry_id: Some(context.account.clone()),
        scanning_configuration: Some(told(&record)),
    })
}

pub(super) async fn batch_get(
    shared: &Shared,
    context: &Context,
    input: BatchGetRepositoryScanningConfigurationRequest,
) -> Result<BatchGetRepositoryScanningConfigurationResponse, Error> {
    let record = shared.writer.index().scanning(&scope(context));
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for name in input.repository_names {
        let Ok((key, repository)) = find(shared, context, None, &name) else {
            failures.push(RepositoryScanningConfigurationFailure {
                failure_code: Some(ScanningConfigurationFailureCode::RepositoryNotFound),
                failure_reason: Some(repository_not_found(&name, &context.account).message),
                repository_name: Some(name),
            });
            continue;
        };
        // Of the rules that are for it, the first; else what the repository itself says.
        let fits = |filter: &&String| wire::ecr_host::matches(filter, key.name.as_str());
        let rule = record.rules.iter().find(|rule| rule.filters.iter().any(|f| fits(&f)));
        let applied = rule.into_iter().flat_map(|rule| rule.filters.iter().filter(fits));
        let applied: Vec<_> = applied.map(|text| filter(text)).collect();
        let own =
            if repository.settings.scan_on_push { ScanFrequency::ScanOnPush } else { ScanFrequency::Manual };
        let frequency = rule.and_then(|rule| rule.frequency.parse().ok()).unwrap_or(own);
        found.push(RepositoryScanningConfiguration {
            repository_arn: Some(arn(&key)),
            repository_name: Some(name),
            scan_on_push: Some(frequency != ScanFrequency::Manual),
            scan_frequency: Some(frequency),
            applied_scan_filters: Some(applied),
        });
    }
    Ok(BatchGetRepositoryScanningConfigurationResponse {
        scanning_configurations: Some(found),
        failures: Some(failures),
    })
}

fn told(record: &ScanningRecord) -> RegistryScanningConfiguration {
    let rule = |rule: &ScanningRule| RegistryScanningRule {
        scan_frequency: rule.frequency.parse().unwrap_or(ScanFrequency::Manual),
        repository_filters: rule.filters.iter().map(|text| filter(text)).collect(),
    };
    RegistryScanningConfiguration {
        scan_type: Some(record.scan_type.parse().unwrap_or(ScanType::Basic)),
        rules: Some(record.rules.iter().map(rule).collect()),
    }
}

fn filter(text: &str) -> ScanningRepositoryFilter {
    ScanningRepositoryFilter { filter: text.to_owned(), filter_type: ScanningRepositoryFilterType::Wildcard }
}
