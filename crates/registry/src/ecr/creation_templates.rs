//! `CreateRepositoryCreationTemplate`, `UpdateRepositoryCreationTemplate`, `DeleteRepositoryCreationTemplate` and
//! `DescribeRepositoryCreationTemplates`. What makes repositories by them is `state/command/templates.rs`.

use std::collections::BTreeMap;

use iam::{Policy, PolicyKind};
use wire::{
    Context, Error, Timestamp,
    ecr::{
        CreateRepositoryCreationTemplateRequest, CreateRepositoryCreationTemplateResponse,
        DeleteRepositoryCreationTemplateRequest, DeleteRepositoryCreationTemplateResponse,
        DescribeRepositoryCreationTemplatesRequest, DescribeRepositoryCreationTemplatesResponse,
        EncryptionConfigurationForRepositoryCreationTemplate, EncryptionType, RCTAppliedFor,
        RepositoryCreationTemplate, Tag, UpdateRepositoryCreationTemplateRequest,
        UpdateRepositoryCreationTemplateResponse,
    },
    page,
};

use super::{
    error::{invalid, write},
    lifecycle_policy,
    repository::{exclusion_filters, mutability, mutability_name, scope},
    resource_tags::checked,
};
use crate::{
    Shared,
    state::{
        command::{CreateTemplate, DeleteTemplate, UpdateTemplate},
        entities::TemplateRecord,
    },
};

/// When the request names no `maxResults` (API reference).
const DEFAULT_PAGE: i32 = 100;
const DESCRIBE: &str = "DescribeRepositoryCreationTemplates";

pub(super) async fn create(
    shared: &Shared,
    context: &Context,
    input: CreateRepositoryCreationTemplateRequest,
) -> Result<CreateRepositoryCreationTemplateResponse, Error> {
    let (encryption_type, kms_key) = encryption(input.encryption_configuration)?;
    let now_ms = shared.now_ms();
    let template = TemplateRecord {
        description: input.description,
        encryption_type,
        kms_key,
        tags: checked(BTreeMap::new(), input.resource_tags.unwrap_or_default())?,
        mutability: mutability(input.image_tag_mutability, input.image_tag_mutability_exclusion_filters)?,
        repository_policy: repository_policy(input.repository_policy)?,
        lifecycle_policy: lifecycle(input.lifecycle_policy)?,
        applied_for: applied_for(&input.applied_for)?,
        custom_role: input.custom_role_arn,
        created_at_ms: now_ms,
        updated_at_ms: now_ms,
    };
    let prefix = prefix(&input.prefix);
    let told = told(&prefix, &template);
    let command = CreateTemplate { scope: scope(context), prefix, template };
    shared.writer.submit(command).await.map_err(write)?;
    Ok(CreateRepositoryCreationTemplateResponse {
        registry_id: Some(context.account.clone()),
        repository_creation_template: Some(told),
    })
}

/// What isn't given stays, but for the mutability, which then is MUTABLE (API reference).
pub(super) async fn update(
    shared: &Shared,
    context: &Context,
    input: UpdateRepositoryCreationTemplateRequest,
) -> Result<UpdateRepositoryCreationTemplateResponse, Error> {
    let encryption = input.encryption_configuration.map(|given| encryption(Some(given))).transpose()?;
    let tags = input.resource_tags.map(|tags| checked(BTreeMap::new(), tags)).transpose()?;
    let mutability = mutability(input.image_tag_mutability, input.image_tag_mutability_exclusion_filters)?;
    let policy = repository_policy(input.repository_policy)?;
    let lifecycle = lifecycle(input.lifecycle_policy)?;
    let applied_for = input.applied_for.as_deref().map(applied_for).transpose()?;
    let (description, custom_role) = (input.description, input.custom_role_arn);
    let now_ms = shared.now_ms();
    let edit = move |template: &mut TemplateRecord| {
        if let Some((encryption_type, kms_key)) = encryption {
            template.encryption_type = encryption_type;
            template.kms_key = kms_key;
        }
        template.mutability = mutability;
        template.tags = tags.unwrap_or_else(|| template.tags.clone());
        template.applied_for = applied_for.unwrap_or_else(|| template.applied_for.clone());
        template.description = description.or_else(|| template.description.take());
        template.repository_policy = policy.or_else(|| template.repository_policy.take());
        template.lifecycle_policy = lifecycle.or_else(|| template.lifecycle_policy.take());
        template.custom_role = custom_role.or_else(|| template.custom_role.take());
        template.updated_at_ms = now_ms;
    };
    let prefix = prefix(&input.prefix);
    let command = UpdateTemplate { scope: scope(context), prefix: prefix.clone(), edit };
    let template = shared.writer.submit(command).await.map_err(write)?;
    Ok(UpdateRepositoryCreationTemplateResponse {
        registry_id: Some(context.account.clone()),
        repository_creation_template: Some(told(&prefix, &template)),
    })
}

pub(super) async fn delete(
    shared: &Shared,
    context: &Context,
    input: DeleteRepositoryCreationTemplateRequest,
) -> Result<DeleteRepositoryCreationTemplateResponse, Error> {
    let prefix = prefix(&input.prefix);
    let command = DeleteTemplate { scope: scope(context), prefix: prefix.clone() };
    let template = shared.writer.submit(command).await.map_err(write)?;
    Ok(DeleteRepositoryCreationTemplateResponse {
        registry_id: Some(context.account.clone()),
        repository_creation_template: Some(told(&prefix, &template)),
    })
}

/// Those named, as far as they are there, or all.
pub(super) async fn describe(
    shared: &Shared,
    context: &Context,
    input: DescribeRepositoryCreationTemplatesRequest,
) -> Result<DescribeRepositoryCreationTemplatesResponse, Error> {
    let scope = scope(context);
    let wanted: Option<Vec<String>> =
        input.prefixes.filter(|some| !some.is_empty()).map(|some| some.iter().map(|p| prefix(p)).collect());
    let asked = wanted.as_ref().map(|some| some.join(",")).unwrap_or_default();
    let filters = [scope.account.as_str(), scope.region.as_str(), &asked];
    let after =
        input.next_token.as_deref().map(|token| page::decode(DESCRIBE, &filters, token)).transpose()?;
    let limit = usize::try_from(input.max_results.unwrap_or(DEFAULT_PAGE)).unwrap_or(1);
    let index = shared.writer.index();
    let rest = index.templates_of(&scope).filter(|(prefix, _)| {
        after.as_ref().is_none_or(|after| *prefix > after)
            && wanted.as_ref().is_none_or(|some| some.contains(prefix))
    });
    let position = |(prefix, _): &(&String, _)| (*prefix).clone();
    let (found, next_token) =
        page::page(rest, limit, position, |at: &str| page::encode(DESCRIBE, &filters, at));
    Ok(DescribeRepositoryCreationTemplatesResponse {
        registry_id: Some(context.account.clone()),
        repository_creation_templates: Some(found.into_iter().map(|(prefix, t)| told(prefix, t)).collect()),
        next_token,
    })
}

/// With or without a slash at its end it means the same.
fn prefix(text: &str) -> String {
    text.strip_suffix('/').unwrap_or(text).to_owned()
}

fn encryption(
    given: Option<EncryptionConfigurationForRepositoryCreationTemplate>,
) -> Result<(String, Option<String>), Error> {
    let Some(given) = given else { return Ok((EncryptionType::Aes256.as_str().to_owned(), None)) };
    if given.kms_key.is_some() && given.encryption_type == EncryptionType::Aes256 {
        return Err(invalid("encryptionConfiguration", "kmsKey needs the encryption type KMS or KMS_DSSE"));
    }
    Ok((given.encryption_type.as_str().to_owned(), given.kms_key))
}

fn repository_policy(text: Option<String>) -> Result<Option<String>, Error> {
    if let Some(text) = &text {
        let read = Policy::parse(text, PolicyKind::Resource);
        read.map_err(|_| invalid("RepositoryPolicy", "Invalid repository policy provided"))?;
    }
    Ok(text)
}

fn lifecycle(text: Option<String>) -> Result<Option<String>, Error> {
    text.as_deref().map(lifecycle_policy::checked).transpose()?;
    Ok(text)
}

fn applied_for(given: &[RCTAppliedFor]) -> Result<Vec<String>, Error> {
    if given.is_empty() {
        return Err(invalid("appliedFor", "must have at least one scenario"));
    }
    let mut names: Vec<String> = Vec::new();
    for scenario in given.iter().map(|scenario| scenario.as_str()) {
        if !names.iter().any(|name| name == scenario) {
            names.push(scenario.to_owned());
        }
    }
    Ok(names)
}

fn told(prefix: &str, template: &TemplateRecord) -> RepositoryCreationTemplate {
    let tags = template.tags.iter().map(|(key, value)| Tag { key: key.clone(), value: value.clone() });
    RepositoryCreationTemplate {
        prefix: Some(prefix.to_owned()),
        description: template.description.clone(),
        encryption_configuration: Some(EncryptionConfigurationForRepositoryCreationTemplate {
            encryption_type: template.encryption_type.parse().unwrap_or(EncryptionType::Aes256),
            kms_key: template.kms_key.clone(),
        }),
        resource_tags: Some(tags.collect()).filter(|tags: &Vec<Tag>| !tags.is_empty()),
        image_tag_mutability: Some(mutability_name(&template.mutability)),
        image_tag_mutability_exclusion_filters: exclusion_filters(&template.mutability),
        repository_policy: template.repository_policy.clone(),
        lifecycle_policy: template.lifecycle_policy.clone(),
        applied_for: Some(template.applied_for.iter().filter_map(|name| name.parse().ok()).collect()),
        custom_role_arn: template.custom_role.clone(),
        created_at: Some(Timestamp::from_ms(template.created_at_ms)),
        updated_at: Some(Timestamp::from_ms(template.updated_at_ms)),
    }
}
