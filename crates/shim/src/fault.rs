//! What a call answers when it fails: a ttrpc status code and one line for a person.
//! The codes are those that containerd's own shim gives, because clients decide by them
//! (NOT_FOUND of Kill means "it is over already").

use containerd_shim_protos::ttrpc::Code;

/// A failed call.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Fault {
    pub code: Code,
    pub message: String,
}

/// What a call answers.
pub type Answer<T> = Result<T, Fault>;

impl Fault {
    pub fn not_found(message: impl Into<String>) -> Self {
        Self { code: Code::NOT_FOUND, message: message.into() }
    }

    pub fn exists(message: impl Into<String>) -> Self {
        Self { code: Code::ALREADY_EXISTS, message: message.into() }
    }

    /// The process isn't in a state for it.
    pub fn state(message: impl Into<String>) -> Self {
        Self { code: Code::FAILED_PRECONDITION, message: message.into() }
    }

    pub fn invalid(message: impl Into<String>) -> Self {
        Self { code: Code::INVALID_ARGUMENT, message: message.into() }
    }

    pub fn unimplemented(message: impl Into<String>) -> Self {
        Self { code: Code::UNIMPLEMENTED, message: message.into() }
    }

    /// The kernel, the file system or the container's own configuration refused.
    pub fn failed(message: impl Into<String>) -> Self {
        Self { code: Code::UNKNOWN, message: message.into() }
    }
}

/// An error with its causes, outermost first, without what a level merely repeats of the one below it.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let line = cause.to_string();
        if !text.contains(&line) {
            text.push_str(": ");
            text.push_str(&line);
        }
        next = cause.source();
    }
    text
}
