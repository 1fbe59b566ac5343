//! Creation templates, and the repositories that are made by them.

use super::{Command, Decision, Refusal};
use crate::{
    name::RepositoryName,
    state::{
        entities::{
            LifecycleRecord, Mutability, PolicyRecord, RepositoryKey, RepositorySettings, Scope,
            TemplateRecord,
        },
        index::{Change, Index},
    },
};

/// The prefix of the template for whatever has none.
pub const ROOT: &str = "ROOT";

/// The scenario of a push to a repository that isn't there.
pub const CREATE_ON_PUSH: &str = "CREATE_ON_PUSH";
/// That of a pull of what another registry has.
pub const PULL_THROUGH_CACHE: &str = "PULL_THROUGH_CACHE";

/// The template that a new repository is made by: of those for the scenario, that with the longest prefix.
pub fn template_for<'a>(
    index: &'a Index,
    scope: &'a Scope,
    name: &RepositoryName,
    scenario: &str,
) -> Option<&'a TemplateRecord> {
    // There is always a slash behind the prefix; ROOT is no prefix, and comes after all.
    let rank = |prefix: &str| match prefix {
        ROOT => Some(0),
        prefix => name.as_str().strip_prefix(prefix)?.starts_with('/').then_some(prefix.len()),
    };
    index
        .templates_of(scope)
        .filter(|(_, template)| template.applied_for.iter().any(|applied| applied == scenario))
        .filter_map(|(prefix, template)| Some((rank(prefix)?, template)))
        .max_by_key(|(rank, _)| *rank)
        .map(|(_, template)| template)
}

#[derive(Debug)]
pub struct CreateTemplate {
    pub scope: Scope,
    pub prefix: String,
    pub template: TemplateRecord,
}

impl Command for CreateTemplate {
    type Outcome = ();

    fn decide(self, index: &Index) -> Result<Decision<()>, Refusal> {
        if index.template(&self.scope, &self.prefix).is_some() {
            return Err(Refusal::TemplateExists { scope: self.scope, prefix: self.prefix });
        }
        Ok(Decision::new(vec![Change::PutTemplate(self.scope, self.prefix, self.template)], ()))
    }
}

/// Changes a template that is there; gives what it has become.
pub struct UpdateTemplate<F> {
    pub scope: Scope,
    pub prefix: String,
    pub edit: F,
}

impl<F> Command for UpdateTemplate<F>
where
    F: FnOnce(&mut TemplateRecord) + Send + 'static,
{
    type Outcome = TemplateRecord;

    fn decide(self, index: &Index) -> Result<Decision<TemplateRecord>, Refusal> {
        let found = index.template(&self.scope, &self.prefix).cloned();
        let Some(mut template) = found else {
            return Err(Refusal::TemplateUnknown { scope: self.scope, prefix: self.prefix });
        };
        (self.edit)(&mut template);
        let change = Change::PutTemplate(self.scope, self.prefix, template.clone());
        Ok(Decision::new(vec![change], template))
    }
}

/// Gives what it was.
#[derive(Debug)]
pub struct DeleteTemplate {
    pub scope: Scope,
    pub prefix: String,
}

impl Command for DeleteTemplate {
    type Outcome = TemplateRecord;

    fn decide(self, index: &Index) -> Result<Decision<TemplateRecord>, Refusal> {
        match index.template(&self.scope, &self.prefix).cloned() {
            Some(template) => {
                Ok(Decision::new(vec![Change::DeleteTemplate(self.scope, self.prefix)], template))
            }
            None => Err(Refusal::TemplateUnknown { scope: self.scope, prefix: self.prefix }),
        }
    }
}

/// Makes a repository because something comes into it: as the scenario's template says, with ECR's defaults where there
/// is none and none is needed. One that is there already will do.
#[derive(Debug)]
pub struct CreateFor {
    pub key: RepositoryKey,
    pub scenario: &'static str,
    /// Make it without a template too.
    pub always: bool,
    pub now_ms: u64,
}

impl Command for CreateFor {
    type Outcome = ();

    fn decide(self, index: &Index) -> Result<Decision<()>, Refusal> {
        if index.repository(&self.key).is_some() {
            return Ok(Decision::new(Vec::new(), ()));
        }
        let template = template_for(index, &self.key.scope, &self.key.name, self.scenario);
        if template.is_none() && !self.always {
            return Err(Refusal::RepositoryUnknown(self.key));
        }
        let settings = RepositorySettings {
            created_at_ms: self.now_ms,
            mutability: template
                .map_or(Mutability { immutable: false, exclusions: Vec::new() }, |t| t.mutability.clone()),
            scan_on_push: false,
            encryption_type: template.map_or_else(|| "AES256".to_owned(), |t| t.encryption_type.clone()),
            kms_key: template.and_then(|t| t.kms_key.clone()),
            tags: template.map(|t| t.tags.clone()).unwrap_or_default(),
        };
        let policy = template.and_then(|t| t.repository_policy.clone());
        let lifecycle = template.and_then(|t| t.lifecycle_policy.clone());
        let policy = policy.map(|text| Change::PutPolicy(self.key.clone(), PolicyRecord { text }));
        let lifecycle = lifecycle.map(|text| {
            Change::PutLifecycle(self.key.clone(), LifecycleRecord { text, evaluated_at_ms: None })
        });
        let made = Change::PutRepository(self.key.clone(), settings);
        Ok(Decision::new([Some(made), policy, lifecycle].into_iter().flatten().collect(), ()))
    }
}
