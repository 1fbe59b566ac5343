//! From an operation's name to the handler that was registered for it.
//!
//! Handlers are typed where they are registered and erased in the table; the router decodes,
//! checks and encodes around them. It needs no executor: the caller polls the future.

use std::collections::BTreeMap;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use serde::Serialize;

use crate::context::Context;
use crate::error::Error;
use crate::eventstream::Events;
use crate::operation::{Operation, OperationInfo, ServiceInfo};
use crate::{codec, protocol};

type Answering = Pin<Box<dyn Future<Output = Result<Answer, Error>> + Send>>;
type Handler = Arc<dyn Fn(Context, &[u8]) -> Answering + Send + Sync>;

/// What a handler's success becomes.
pub enum Answer {
    /// A body.
    Whole(Vec<u8>),
    /// A body of `application/vnd.amazon.eventstream` that is written while it comes.
    Events(Box<dyn Events>),
}

/// The table of implemented operations. Cheap to clone.
#[derive(Clone, Default)]
pub struct Router {
    handlers: Arc<BTreeMap<(&'static str, &'static str), Handler>>,
}

/// One row of the coverage table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Coverage {
    pub service: &'static str,
    pub operation: &'static str,
    pub implemented: bool,
}

impl Router {
    pub fn new() -> Self {
        Self::default()
    }

    /// `handler` answers the operation `O` from now on, instead of any earlier one.
    ///
    /// ```
    /// use wire::sts::{GetCallerIdentityRequest, GetCallerIdentityResponse, ops};
    /// let mut router = wire::dispatch::Router::new();
    /// router.register::<ops::GetCallerIdentity, _, _>(
    ///     |ctx: wire::Context, _: GetCallerIdentityRequest| async move {
    ///         let account = Some(ctx.account);
    ///         Ok::<_, wire::Error>(GetCallerIdentityResponse { account, ..Default::default() })
    ///     },
    /// );
    /// ```
    pub fn register<O, F, R>(&mut self, handler: F) -> &mut Self
    where
        O: Operation,
        F: Fn(Context, O::Input) -> R + Send + Sync + 'static,
        R: Future<Output = Result<O::Output, Error>> + Send + 'static,
    {
        let handler = Arc::new(handler);
        self.insert(O::INFO, move |context, body| {
            let input = codec::decode::<O>(body);
            let handler = Arc::clone(&handler);
            Box::pin(async move {
                let request_id = context.request_id.clone();
                let output = handler(context, input?).await?;
                protocol::encode_output::<O>(&output, &request_id).map(Answer::Whole)
            })
        })
    }

    /// The same for an operation whose output is a stream of events.
    pub fn register_events<O, F, R>(&mut self, handler: F) -> &mut Self
    where
        O: Operation,
        F: Fn(Context, O::Input) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Box<dyn Events>, Error>> + Send + 'static,
    {
        let handler = Arc::new(handler);
        self.insert(O::INFO, move |context, body| {
            let input = codec::decode::<O>(body);
            let handler = Arc::clone(&handler);
            Box::pin(async move { handler(context, input?).await.map(Answer::Events) })
        })
    }

    fn insert(
        &mut self,
        info: &'static OperationInfo,
        handler: impl Fn(Context, &[u8]) -> Answering + Send + Sync + 'static,
    ) -> &mut Self {
        Arc::make_mut(&mut self.handlers).insert((info.service.name, info.name), Arc::new(handler));
        self
    }

    /// Takes over every handler of `other`.
    pub fn merge(&mut self, other: Self) -> &mut Self {
        let theirs = other.handlers.iter().map(|(key, handler)| (*key, Arc::clone(handler)));
        Arc::make_mut(&mut self.handlers).extend(theirs);
        self
    }

    /// Decodes `body`, calls the handler and encodes its output.
    ///
    /// `service` and `operation` are the model's names; `protocol::route` finds them in a request.
    /// An operation that no model has answers `UnknownOperationException`, one without a handler
    /// the error of [`unsupported`].
    pub async fn answer(
        &self,
        service: &str,
        operation: &str,
        context: Context,
        body: &[u8],
    ) -> Result<Answer, Error> {
        let info = crate::SERVICES
            .iter()
            .find(|info| info.name == service)
            .and_then(|info| info.operation(operation))
            .ok_or_else(|| unknown(operation))?;
        let handler = self.handlers.get(&(info.service.name, info.name));
        let handler = handler.ok_or_else(|| unsupported(info))?;
        handler(context, body).await
    }

    /// The same for an operation that answers a whole body: all but those of `register_events`.
    pub async fn call(
        &self,
        service: &str,
        operation: &str,
        context: Context,
        body: &[u8],
    ) -> Result<Vec<u8>, Error> {
        match self.answer(service, operation, context, body).await? {
            Answer::Whole(body) => Ok(body),
            Answer::Events(_) => {
                Err(Error::new("UnknownOperationException", format!("{operation} answers a stream.")))
            }
        }
    }

    /// Every operation of every service, implemented or not: made from the table that dispatches.
    pub fn coverage(&self) -> Vec<Coverage> {
        let operations = crate::SERVICES.iter().flat_map(|service| service.operations);
        let row = |info: &&'static OperationInfo| Coverage {
            service: info.service.name,
            operation: info.name,
            implemented: self.handlers.contains_key(&(info.service.name, info.name)),
        };
        operations.map(row).collect()
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Answer::Whole(body) => f.debug_tuple("Whole").field(&body.len()).finish(),
            Answer::Events(_) => f.write_str("Events"),
        }
    }
}

impl fmt::Debug for Router {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.handlers.keys()).finish()
    }
}

/// An operation that no model has.
pub fn unknown(operation: &str) -> Error {
    let message = if operation.is_empty() {
        "The request names no operation.".to_owned()
    } else {
        format!("The operation {operation} is not known.")
    };
    Error::new("UnknownOperationException", message)
}

/// An operation that AWS has and Longshore has not yet.
///
/// ECS has an error for just that. The others' models have none, so the nearest is taken that
/// clients don't retry: ECR's `ValidationException`, CloudWatch Logs'
/// `InvalidOperationException`, EventBridge's `OperationDisabledException`, and for Query `InvalidAction`, which AWS's Query front ends answer
/// to an action that they don't offer.
pub fn unsupported(info: &OperationInfo) -> Error {
    let ServiceInfo { name: service, .. } = info.service;
    let code = match *service {
        "ecs" => "UnsupportedFeatureException",
        "ecr" => "ValidationException",
        "logs" => "InvalidOperationException",
        "events" => "OperationDisabledException",
        _ => "InvalidAction",
    };
    Error::new(code, format!("Longshore does not implement {service}:{} yet.", info.name))
}
