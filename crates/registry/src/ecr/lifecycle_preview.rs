//! `StartLifecyclePolicyPreview` and `GetLifecyclePolicyPreview`.

use std::sync::Arc;

use wire::{
    Context, Error, Timestamp,
    ecr::{
        GetLifecyclePolicyPreviewRequest, GetLifecyclePolicyPreviewResponse, ImageActionType,
        ImageIdentifier, LifecyclePolicyPreviewResult, LifecyclePolicyPreviewStatus,
        LifecyclePolicyPreviewSummary, LifecyclePolicyRuleAction, LifecyclePolicyStorageClass,
        LifecyclePolicyTargetStorageClass, StartLifecyclePolicyPreviewRequest,
        StartLifecyclePolicyPreviewResponse, TransitioningImageTotalCount,
    },
    page,
};

use super::{
    error::{invalid, refused},
    image::Filter,
    lifecycle_policy::checked,
    repository::find,
};
use crate::{
    Shared,
    expiry::{Preview, PreviewRunning, Previewed, Previews},
    lifecycle::{Action, Affected},
    state::{command::Refusal, entities::RepositoryKey},
};

const DEFAULT_PAGE: i32 = 100;
const OPERATION: &str = "GetLifecyclePolicyPreview";

pub(super) async fn start(
    shared: &Arc<Shared>,
    context: &Context,
    input: StartLifecyclePolicyPreviewRequest,
) -> Result<StartLifecyclePolicyPreviewResponse, Error> {
    let (key, repository) = find(shared, context, input.registry_id.as_deref(), &input.repository_name)?;
    let own = repository.lifecycle.map(|record| record.text);
    let text = input.lifecycle_policy_text.or(own);
    let text = text.ok_or_else(|| refused(Refusal::LifecycleUnknown(key.clone())))?;
    let policy = checked(&text)?;
    let running = |PreviewRunning| in_progress(&key);
    Previews::start(shared, key.clone(), text.clone(), policy, repository.settings.created_at_ms)
        .map_err(running)?;
    Ok(StartLifecyclePolicyPreviewResponse {
        registry_id: Some(context.account.clone()),
        repository_name: Some(input.repository_name),
        lifecycle_policy_text: Some(text),
        status: Some(LifecyclePolicyPreviewStatus::InProgress),
    })
}

pub(super) async fn get(
    shared: &Shared,
    context: &Context,
    input: GetLifecyclePolicyPreviewRequest,
) -> Result<GetLifecyclePolicyPreviewResponse, Error> {
    let (key, repository) = find(shared, context, input.registry_id.as_deref(), &input.repository_name)?;
    if input.image_ids.is_some() && (input.max_results.is_some() || input.next_token.is_some()) {
        return Err(invalid("maxResults", "maxResults and nextToken can not be used with imageIds"));
    }
    let preview = shared.previews.get(&key);
    let preview = preview.filter(|preview| preview.created_at_ms == repository.settings.created_at_ms);
    let Preview { number, text, state, .. } = preview.ok_or_else(|| not_found(&key))?;
    let answer = GetLifecyclePolicyPreviewResponse {
        registry_id: Some(context.account.clone()),
        repository_name: Some(input.repository_name),
        lifecycle_policy_text: Some(text),
        status: Some(status(&state)),
        ..GetLifecyclePolicyPreviewResponse::default()
    };
    let Previewed::Complete(affected) = state else { return Ok(answer) };

    let filter = Filter::new(input.filter.and_then(|filter| filter.tag_status), None);
    // A later preview has other results.
    let (number, shown) = (number.to_string(), filter.name());
    let scope = &key.scope;
    let filters =
        [scope.account.as_str(), scope.region.as_str(), key.name.as_str(), shown.as_str(), number.as_str()];
    let after = match &input.next_token {
        Some(token) => page::decode(OPERATION, &filters, token)?,
        None => String::new(),
    };
    let ids = input.image_ids.as_deref();
    let wanted = affected
        .iter()
        .filter(|image| filter.fits(!image.tags.is_empty()))
        .filter(|image| ids.is_none_or(|ids| ids.iter().any(|id| names(id, image))))
        .filter(|image| position(image) > after);
    let limit = usize::try_from(input.max_results.unwrap_or(DEFAULT_PAGE)).unwrap_or(1);
    let token = |at: &str| page::encode(OPERATION, &filters, at);
    let (found, next_token) = page::page(wanted, limit, |image| position(image), token);
    Ok(GetLifecyclePolicyPreviewResponse {
        preview_results: Some(found.into_iter().map(result).collect()),
        next_token,
        summary: Some(summary(&affected)),
        ..answer
    })
}

fn summary(affected: &[Affected]) -> LifecyclePolicyPreviewSummary {
    let count = |action| affected.iter().filter(|image| image.action == action).count();
    let archived = i32::try_from(count(Action::Archive)).ok().filter(|count| *count > 0);
    LifecyclePolicyPreviewSummary {
        expiring_image_total_count: i32::try_from(count(Action::Expire)).ok(),
        transitioning_image_total_counts: archived.map(|count| {
            vec![TransitioningImageTotalCount {
                target_storage_class: Some(LifecyclePolicyTargetStorageClass::Archive),
                image_total_count: Some(count),
            }]
        }),
    }
}

fn status(state: &Previewed) -> LifecyclePolicyPreviewStatus {
    match state {
        Previewed::InProgress => LifecyclePolicyPreviewStatus::InProgress,
        Previewed::Complete(_) => LifecyclePolicyPreviewStatus::Complete,
        Previewed::Failed => LifecyclePolicyPreviewStatus::Failed,
    }
}

/// In the order of the results: by time, then by digest.
fn position(image: &Affected) -> String {
    format!("{:020} {}", image.pushed_at_ms, image.digest)
}

fn names(id: &ImageIdentifier, image: &Affected) -> bool {
    let digest = id.image_digest.as_deref().is_none_or(|digest| digest == image.digest.as_str());
    let tag = id.image_tag.as_deref();
    digest && tag.is_none_or(|tag| image.tags.iter().any(|own| own.as_str() == tag))
}

fn result(image: &Affected) -> LifecyclePolicyPreviewResult {
    let tags: Vec<String> = image.tags.iter().map(ToString::to_string).collect();
    LifecyclePolicyPreviewResult {
        image_tags: (!tags.is_empty()).then_some(tags),
        image_digest: Some(image.digest.to_string()),
        image_pushed_at: Some(Timestamp::from_ms(image.pushed_at_ms)),
        action: Some(match image.action {
            Action::Expire => LifecyclePolicyRuleAction {
                r#type: Some(ImageActionType::Expire),
                target_storage_class: None,
            },
            Action::Archive => LifecyclePolicyRuleAction {
                r#type: Some(ImageActionType::Transition),
                target_storage_class: Some(LifecyclePolicyTargetStorageClass::Archive),
            },
        }),
        applied_rule_priority: Some(image.rule),
        storage_class: Some(match image.is_archived {
            true => LifecyclePolicyStorageClass::Archive,
            false => LifecyclePolicyStorageClass::Standard,
        }),
    }
}

fn not_found(key: &RepositoryKey) -> Error {
    let message = format!(
        "Lifecycle policy preview does not exist for the repository with name '{}' in the registry with id '{}'",
        key.name, key.scope.account
    );
    Error::new("LifecyclePolicyPreviewNotFoundException", message)
}

fn in_progress(key: &RepositoryKey) -> Error {
    let message = format!(
        "The previous lifecycle policy preview of the repository with name '{}' in the registry with id '{}' has \
         not completed",
        key.name, key.scope.account
    );
    Error::new("LifecyclePolicyPreviewInProgressException", message)
}
