//! Talking: with the server as a client, and with the person at the terminal.

mod client;
mod progress;
mod table;

pub use client::{CallError, Client, now_ms};
pub use progress::{Progress, Step};
pub use table::{ago, table};

/// An error with its causes on one line, and what to do about it where that is known.
pub fn told(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for error in error.chain() {
        let cause = error.to_string();
        // Errors that show their source in their own text would say it twice.
        if !text.contains(&cause) {
            let colon = if text.is_empty() { "" } else { ": " };
            text.push_str(colon);
            text.push_str(&cause);
        }
        // Its own causes only say in three ways that nobody listens.
        if let Some(CallError::Unreachable { .. }) = error.downcast_ref() {
            break;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn no_cause_is_told_twice() {
        let inner = anyhow::anyhow!("the disk is full");
        let error = inner.context("write x: the disk is full").context("start");
        assert_eq!(super::told(&error), "start: write x: the disk is full");
    }
}
