//! Amazon ECS: one file an operation, and what several of them need: [`reference`] (from names to
//! keys), [`translate`] (from the model to the wire) and [`errors`].

pub(crate) mod errors;
pub(crate) mod reference;
pub(crate) mod translate;

mod cluster_change;
mod create_cluster;
mod delete_cluster;
mod describe_clusters;
mod list_clusters;
mod listing;
mod submit_task_state_change;
mod submit_container_state_change;
mod submit_attachment_state_changes;
mod stop_task;
mod state_change;
mod run_task;
mod register_container_instance;
mod list_tasks;
mod list_container_instances;
pub(crate) mod launch;
pub(crate) mod fingerprint;
mod describe_tasks;
mod discover_poll_endpoint;
mod deregister_container_instance;
mod describe_container_instances;
mod update_cluster;
mod update_cluster_settings;

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
        UpdateCluster => update_cluster,
        UpdateClusterSettings => update_cluster_settings,
    }
    router
}
