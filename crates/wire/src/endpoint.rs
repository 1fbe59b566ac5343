//! The parts of an endpoint such as `https://10.0.0.5:4580`, and who may be spoken to without TLS.

use std::net::IpAddr;

/// The host, with the port if there is one.
pub fn authority(endpoint: &str) -> &str {
    let rest = endpoint.split_once("://").map_or(endpoint, |(_, rest)| rest);
    rest.split('/').next().unwrap_or_default()
}

/// The host alone, an IPv6 address without its brackets.
pub fn host(authority: &str) -> &str {
    let name = match authority.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) && !name.ends_with(':') => name,
        _ => authority,
    };
    name.trim_start_matches('[').trim_end_matches(']')
}

/// Whether a host (`localhost`, `127.0.0.1:80`, `[::1]`) is the machine itself, as Docker has it.
pub fn is_loopback(authority: &str) -> bool {
    let host = host(authority);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Whether what is said to the endpoint can be read on the way: no TLS, and another machine.
pub fn is_exposed(endpoint: &str) -> bool {
    !endpoint.starts_with("https://") && !is_loopback(authority(endpoint))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        for (endpoint, named, bare, loopback) in [
            ("http://127.0.0.1:4580", "127.0.0.1:4580", "127.0.0.1", true),
            ("http://127.8.0.1", "127.8.0.1", "127.8.0.1", true),
            ("https://localhost:1/x", "localhost:1", "localhost", true),
            ("https://[::1]:4580/", "[::1]:4580", "::1", true),
            ("https://[fd00::5]", "[fd00::5]", "fd00::5", false),
            ("https://10.0.0.5:4580", "10.0.0.5:4580", "10.0.0.5", false),
            ("https://localhost.example", "localhost.example", "localhost.example", false),
        ] {
            assert_eq!((authority(endpoint), host(named)), (named, bare), "{endpoint}");
            assert_eq!(is_loopback(named), loopback, "{endpoint}");
        }
    }

    #[test]
    fn only_this_machine_is_spoken_to_without_tls() {
        for safe in ["http://127.0.0.1:1", "http://localhost", "https://10.0.0.5:1", "http://[::1]:1"] {
            assert!(!is_exposed(safe), "{safe}");
        }
        for exposed in ["http://10.0.0.5:1", "http://0.0.0.0:1", "http://localhost.example", "10.0.0.5"] {
            assert!(is_exposed(exposed), "{exposed}");
        }
    }
}
