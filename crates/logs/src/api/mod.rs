//! The operations of CloudWatch Logs, one function each, grouped by what they are about. A function
//! takes the decoded input and answers the output; it may block, so it runs on a blocking thread.

mod events_filter;
mod events_get;
mod events_put;
mod groups;
mod groups_list;
mod identifier;
mod list_page;
mod live_tail;
mod metric_filter;
mod retention;
mod streams;
mod tags;

pub(crate) use identifier::group_arn;

use std::sync::Arc;

use wire::dispatch::Router;
use wire::logs::ops;
use wire::{Context, Error, Operation};

use crate::service::Service;

/// Every operation that is implemented, bound to `service`.
pub(crate) fn operations(service: &Arc<Service>) -> Router {
    let mut table = Table { router: Router::new(), service: Arc::clone(service) };
    table
        .add::<ops::CreateLogGroup>(groups::create)
        .add::<ops::DeleteLogGroup>(groups::delete)
        .add::<ops::DescribeLogGroups>(groups::describe)
        .add::<ops::ListLogGroups>(groups_list::list)
        .add::<ops::PutLogGroupDeletionProtection>(groups::put_deletion_protection)
        .add::<ops::CreateLogStream>(streams::create)
        .add::<ops::DeleteLogStream>(streams::delete)
        .add::<ops::DescribeLogStreams>(streams::describe)
        .add::<ops::GetLogEvents>(events_get::get)
        .add::<ops::FilterLogEvents>(events_filter::filter)
        .add::<ops::TestMetricFilter>(metric_filter::test)
        .add::<ops::PutRetentionPolicy>(retention::put)
        .add::<ops::DeleteRetentionPolicy>(retention::delete)
        .add::<ops::TagResource>(tags::tag_resource)
        .add::<ops::UntagResource>(tags::untag_resource)
        .add::<ops::ListTagsForResource>(tags::list_for_resource)
        .add::<ops::TagLogGroup>(tags::tag_group)
        .add::<ops::UntagLogGroup>(tags::untag_group)
        .add::<ops::ListTagsLogGroup>(tags::list_for_group);
    let Table { mut router, service } = table;
    let tailed = Arc::clone(&service);
    router
        .register::<ops::PutLogEvents, _, _>(move |context, input| {
            events_put::put(Arc::clone(&service), context, input)
        })
        .register_events::<ops::StartLiveTail, _, _>(move |context, input| {
            let session = live_tail::start(Arc::clone(&tailed), &context, input);
            std::future::ready(session)
        });
    router
}

/// An operation's function.
type Answer<I, O> = fn(&Service, &Context, I) -> Result<O, Error>;

struct Table {
    router: Router,
    service: Arc<Service>,
}

impl Table {
    fn add<O: Operation>(&mut self, answer: Answer<O::Input, O::Output>) -> &mut Table {
        let service = Arc::clone(&self.service);
        self.router.register::<O, _, _>(move |context: Context, input: O::Input| {
            let service = Arc::clone(&service);
            blocking(move || answer(&service, &context, input))
        });
        self
    }
}

/// Runs work that waits for the disk where it holds up nobody.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    match tokio::task::spawn_blocking(work).await {
        Ok(answer) => answer,
        Err(panic) => {
            tracing::error!(%panic, "a log operation ended early");
            Err(Error::internal(&wire::logs::SERVICE, "The service cannot complete the request."))
        }
    }
}
