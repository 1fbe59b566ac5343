//! Amazon ECS: one file an operation, and what several of them need: [`reference`] (from names to
//! keys), [`translate`] (from the model to the wire) and [`errors`].

pub(crate) mod errors;
pub(crate) mod image;
pub(crate) mod reference;
pub(crate) mod translate;

pub(crate) mod account_setting;
mod attributes;
mod cluster_change;
mod continue_service_deployment;
mod create_cluster;
mod create_service;
mod create_task_set;
mod definition;
mod delete_account_setting;
mod delete_attributes;
mod delete_cluster;
mod delete_service;
mod delete_task_definitions;
mod delete_task_set;
mod deregister_container_instance;
mod deregister_task_definition;
mod describe_clusters;
mod describe_container_instances;
mod describe_service_deployments;
mod describe_service_revisions;
mod describe_services;
mod describe_task_definition;
mod describe_task_sets;
mod describe_tasks;
mod discover_poll_endpoint;
pub(crate) mod fingerprint;
mod get_task_protection;
pub(crate) mod launch;
mod list_account_settings;
mod list_attributes;
mod list_clusters;
mod list_container_instances;
mod list_service_deployments;
mod list_services;
mod list_tags_for_resource;
mod list_task_definition_families;
mod list_task_definitions;
mod list_tasks;
mod listing;
mod protection;
mod put_account_setting;
mod put_account_setting_default;
mod put_attributes;
mod register_container_instance;
mod register_task_definition;
mod run_task;
pub(crate) mod service;
mod start_task;
mod state_change;
mod stop_service_deployment;
mod stop_task;
mod submit_attachment_state_changes;
mod submit_container_state_change;
mod submit_task_state_change;
mod tag_resource;
mod tagging;
mod task_set;
mod untag_resource;
mod update_cluster;
mod update_cluster_settings;
mod update_container_agent;
mod update_container_instances_state;
pub(crate) mod update_service;
mod update_service_primary_task_set;
mod update_task_protection;
mod update_task_set;

use std::sync::Arc;

use wire::dispatch::Router;

use crate::app::App;

/// Registers `module::handle` for each operation.
macro_rules! operations {
    ($router:ident, $app:ident, $($operation:ident => $module:ident),+ $(,)?) => {$(
        let app = Arc::clone($app);
        $router.register::<wire::ecs::ops::$operation, _, _>(move |context, input| {
            $module::handle(Arc::clone(&app), context, input)
        });
    )+};
}

/// Every ECS operation that there is.
pub(crate) fn operations(app: &Arc<App>) -> Router {
    let mut router = Router::new();
    operations! { router, app,
        CreateCluster => create_cluster,
        DeleteCluster => delete_cluster,
        DescribeClusters => describe_clusters,
        ListClusters => list_clusters,
        SubmitTaskStateChange => submit_task_state_change,
        SubmitContainerStateChange => submit_container_state_change,
        SubmitAttachmentStateChanges => submit_attachment_state_changes,
        StopTask => stop_task,
        RunTask => run_task,
        RegisterContainerInstance => register_container_instance,
        ListTasks => list_tasks,
        ListContainerInstances => list_container_instances,
        DiscoverPollEndpoint => discover_poll_endpoint,
        DescribeTasks => describe_tasks,
        DescribeContainerInstances => describe_container_instances,
        DeregisterContainerInstance => deregister_container_instance,
        RegisterTaskDefinition => register_task_definition,
        DeregisterTaskDefinition => deregister_task_definition,
        DeleteTaskDefinitions => delete_task_definitions,
        DescribeTaskDefinition => describe_task_definition,
        ListTaskDefinitions => list_task_definitions,
        ListTaskDefinitionFamilies => list_task_definition_families,
        TagResource => tag_resource,
        UntagResource => untag_resource,
        ListTagsForResource => list_tags_for_resource,
        UpdateCluster => update_cluster,
        UpdateClusterSettings => update_cluster_settings,
        CreateService => create_service,
        DeleteService => delete_service,
        DescribeServices => describe_services,
        ListServices => list_services,
        UpdateService => update_service,
        ListServiceDeployments => list_service_deployments,
        DescribeServiceDeployments => describe_service_deployments,
        DescribeServiceRevisions => describe_service_revisions,
        StopServiceDeployment => stop_service_deployment,
        ContinueServiceDeployment => continue_service_deployment,
        CreateTaskSet => create_task_set,
        DescribeTaskSets => describe_task_sets,
        UpdateTaskSet => update_task_set,
        DeleteTaskSet => delete_task_set,
        UpdateServicePrimaryTaskSet => update_service_primary_task_set,
        StartTask => start_task,
        UpdateContainerAgent => update_container_agent,
        UpdateContainerInstancesState => update_container_instances_state,
        PutAttributes => put_attributes,
        DeleteAttributes => delete_attributes,
        ListAttributes => list_attributes,
        PutAccountSetting => put_account_setting,
        PutAccountSettingDefault => put_account_setting_default,
        ListAccountSettings => list_account_settings,
        DeleteAccountSetting => delete_account_setting,
        GetTaskProtection => get_task_protection,
        UpdateTaskProtection => update_task_protection,
    }
    router
}
