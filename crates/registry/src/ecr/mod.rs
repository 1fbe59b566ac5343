//! Amazon ECR's operations, one file each; those that hang together share one. Start at [`operations`].

mod account_setting;
mod batch_delete_image;
mod batch_get_image;
mod cache_rules;
mod create_repository;
mod creation_templates;
mod delete_repository;
mod describe_images;
mod describe_repositories;
mod error;
mod get_authorization_token;
mod image;
mod layer_upload;
mod layers;
mod lifecycle_policy;
mod lifecycle_preview;
mod list_image_referrers;
mod list_images;
mod pull_time;
mod put_image;
mod registry_policy;
mod replication;
mod repository;
mod repository_policy;
mod repository_settings;
mod resource_tags;
mod scan;
mod scanning_configuration;
mod signing_configuration;
mod storage_class;

use std::sync::Arc;

use wire::{dispatch::Router, ecr::ops};

use crate::Shared;

pub(crate) use account_setting::mounts;
pub(crate) use repository::arn;

pub(crate) fn operations(shared: &Arc<Shared>) -> Router {
    let mut router = Router::new();
    macro_rules! register {
        ($($operation:ident => $handler:path),+ $(,)?) => {$({
            let shared = shared.clone();
            router.register::<ops::$operation, _, _>(move |context, input| {
                let shared = shared.clone();
                async move { $handler(&shared, &context, input).await }
            });
        })+};
    }
    register!(
        GetAuthorizationToken => get_authorization_token::call,
        CreateRepository => create_repository::call,
        DescribeRepositories => describe_repositories::call,
        DeleteRepository => delete_repository::call,
        PutImageTagMutability => repository_settings::put_image_tag_mutability,
        PutImageScanningConfiguration => repository_settings::put_image_scanning_configuration,
        ListImages => list_images::call,
        ListImageReferrers => list_image_referrers::call,
        DescribeImages => describe_images::call,
        BatchGetImage => batch_get_image::call,
        BatchDeleteImage => batch_delete_image::call,
        PutImage => put_image::call,
        BatchCheckLayerAvailability => layers::batch_check_layer_availability,
        GetDownloadUrlForLayer => layers::get_download_url_for_layer,
        InitiateLayerUpload => layer_upload::initiate_layer_upload,
        UploadLayerPart => layer_upload::upload_layer_part,
        CompleteLayerUpload => layer_upload::complete_layer_upload,
        PutLifecyclePolicy => lifecycle_policy::put,
        GetLifecyclePolicy => lifecycle_policy::get,
        DeleteLifecyclePolicy => lifecycle_policy::delete,
        StartLifecyclePolicyPreview => lifecycle_preview::start,
        GetLifecyclePolicyPreview => lifecycle_preview::get,
        SetRepositoryPolicy => repository_policy::set,
        GetRepositoryPolicy => repository_policy::get,
        DeleteRepositoryPolicy => repository_policy::delete,
        PutRegistryPolicy => registry_policy::put,
        GetRegistryPolicy => registry_policy::get,
        DeleteRegistryPolicy => registry_policy::delete,
        CreateRepositoryCreationTemplate => creation_templates::create,
        UpdateRepositoryCreationTemplate => creation_templates::update,
        DeleteRepositoryCreationTemplate => creation_templates::delete,
        DescribeRepositoryCreationTemplates => creation_templates::describe,
        CreatePullThroughCacheRule => cache_rules::create,
        UpdatePullThroughCacheRule => cache_rules::update,
        DeletePullThroughCacheRule => cache_rules::delete,
        DescribePullThroughCacheRules => cache_rules::describe,
        ValidatePullThroughCacheRule => cache_rules::validate,
        StartImageScan => scan::start,
        DescribeImageScanFindings => scan::describe,
        PutRegistryScanningConfiguration => scanning_configuration::put,
        GetRegistryScanningConfiguration => scanning_configuration::get,
        BatchGetRepositoryScanningConfiguration => scanning_configuration::batch_get,
        GetAccountSetting => account_setting::get,
        PutAccountSetting => account_setting::put,
        RegisterPullTimeUpdateExclusion => pull_time::register,
        DeregisterPullTimeUpdateExclusion => pull_time::deregister,
        ListPullTimeUpdateExclusions => pull_time::list,
        PutSigningConfiguration => signing_configuration::put,
        GetSigningConfiguration => signing_configuration::get,
        DeleteSigningConfiguration => signing_configuration::delete,
        DescribeImageSigningStatus => signing_configuration::describe_status,
        DescribeRegistry => replication::describe_registry,
        PutReplicationConfiguration => replication::put,
        DescribeImageReplicationStatus => replication::describe_status,
        UpdateImageStorageClass => storage_class::update,
        TagResource => resource_tags::tag_resource,
        UntagResource => resource_tags::untag_resource,
        ListTagsForResource => resource_tags::list_tags_for_resource,
    );
    router
}
