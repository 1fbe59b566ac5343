//! Who an agent is, where two say that they are the same.

use std::net::IpAddr;

/// Why an agent is refused whose container instance another one is, which is there and answers.
pub(crate) fn taken(arn: &str, there: Option<IpAddr>, here: Option<IpAddr>) -> String {
    let place = |ip: Option<IpAddr>| ip.map_or_else(|| "an unknown address".to_owned(), |ip| ip.to_string());
    format!(
        "The container instance {arn} is an agent at {}, which is connected and answers; another one, at {}, \
         says that it is the same. If its data directory is a copy, remove `agent` in it: it then registers as \
         an instance of its own.",
        place(there),
        place(here)
    )
}
