//! Talking: with the server as a client, and with the person at the terminal.

mod client;
mod progress;
mod table;

pub use client::{CallError, Client, http, now_ms};
pub use progress::{Progress, Step};
pub use table::{ago, span, table};

/// An error with its causes on one line, and what to do about it where that is known.
pub fn told(error: &anyhow::Error) -> String {
    let mut text = causes(error);
    let code = error.chain().find_map(|cause| cause.downcast_ref::<CallError>()?.code());
    if let Some(step) = code.and_then(next_step) {
        text.push_str("\n  ");
        text.push_str(step);
    }
    text
}

/// What helps against a refusal, by AWS's code.
fn next_step(code: &str) -> Option<&'static str> {
    Some(match code {
        "ClusterNotFoundException" => {
            "`aws ecs list-clusters` names the clusters there are, `aws ecs create-cluster --cluster-name NAME` makes one"
        }
        "InvalidSignatureException"
        | "SignatureDoesNotMatch"
        | "UnrecognizedClientException"
        | "InvalidClientTokenId"
        | "MissingAuthenticationTokenException" => {
            "the keys are not this server's: where it runs, `eval \"$(longshore env)\"` sets them; --data-dir takes \
             those of a data directory"
        }
        "ServerException" | "InternalFailure" | "ServerError" => {
            "the server's longshore.log, in its data directory, says more"
        }
        _ => return None,
    })
}

fn causes(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for error in error.chain() {
        let cause = error.to_string();
        // Errors that show their source in their own text would say it twice.
        if !text.contains(&cause) {
            let colon = if text.is_empty() { "" } else { ": " };
            text.push_str(colon);
            text.push_str(&cause);
        }
        // Its own causes only say in three ways that nobody listens, or is believed.
        if let Some(CallError::Unreachable { .. } | CallError::Untrusted { .. }) = error.downcast_ref() {
            break;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_refusal_says_what_to_do() {
        let refusal = wire::client::ServiceError {
            status: 400,
            code: "ClusterNotFoundException".to_owned(),
            message: "Cluster not found.".to_owned(),
        };
        let error = anyhow::Error::new(super::CallError::Service { operation: "ListTasks", refusal });
        let told = super::told(&error.context("look"));
        assert!(told.starts_with("look: ListTasks was refused: ClusterNotFoundException"), "{told}");
        assert!(told.ends_with("makes one"), "{told}");
    }

    #[test]
    fn no_cause_is_told_twice() {
        let inner = anyhow::anyhow!("the disk is full");
        let error = inner.context("write x: the disk is full").context("start");
        assert_eq!(super::told(&error), "start: write x: the disk is full");
    }
}
