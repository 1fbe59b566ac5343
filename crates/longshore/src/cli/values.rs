//! The values of flags: what a person may write, and what it means.

use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Duration;

/// `host:port`; a name is looked up.
pub(super) fn listen(text: &str) -> Result<SocketAddr, String> {
    let mut found =
        text.to_socket_addrs().map_err(|e| format!("{e}; write HOST:PORT, as in 127.0.0.1:4580"))?;
    found.next().ok_or_else(|| "the name has no address".to_owned())
}

/// `host` or `host:port`, where the host is a name or an address.
pub(super) fn host(text: &str) -> Result<String, String> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"-._:[]*".contains(&b);
    match !text.is_empty() && text.bytes().all(fits) {
        true => Ok(text.to_owned()),
        false => Err("write HOST or HOST:PORT, as in hub.example.com:443".to_owned()),
    }
}

/// A name as CreateCapacityProvider takes it (ECS API reference), or one of the two that exist already.
pub(super) fn capacity_provider(text: &str) -> Result<String, String> {
    let fits = (1..=255).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    let lower = text.to_ascii_lowercase();
    let reserved = ["aws", "ecs", "fargate"].iter().any(|prefix| lower.starts_with(prefix));
    match fits && (!reserved || matches!(text, "FARGATE" | "FARGATE_SPOT")) {
        true => Ok(text.to_owned()),
        false => Err(
            "up to 255 letters, digits, _ and -; only FARGATE and FARGATE_SPOT may begin with aws, ecs or \
                      fargate"
                .to_owned(),
        ),
    }
}

pub(super) fn account(text: &str) -> Result<String, String> {
    match text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit()) {
        true => Ok(text.to_owned()),
        false => Err("an account is twelve digits".to_owned()),
    }
}

pub(super) fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write KEY=VALUE".to_owned()),
    }
}

/// `90`, `90s`, `500ms`, `10m`, `24h`, `7d`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| "write a number with ms, s, m, h or d".to_owned())?;
    let ms = match unit {
        "ms" => 1,
        "" | "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(format!("{unit:?} is not one of ms, s, m, h, d")),
    };
    number.checked_mul(ms).map(Duration::from_millis).ok_or_else(|| "too long".to_owned())
}

/// `500MiB`, `10GiB`, `2TB`, or a number of bytes; 1 MiB at least.
pub(super) fn bytes(text: &str) -> Result<u64, String> {
    let size = size(text)?;
    if size < 1 << 20 { Err("1 MiB is the least".to_owned()) } else { Ok(size) }
}

/// `64KiB`, `500MiB`, `2TB`, or a number of bytes.
pub(super) fn size(text: &str) -> Result<u64, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| "write a number with MiB, GiB or TiB".to_owned())?;
    let (of, power) = match unit.trim() {
        "" | "B" => (1000, 0),
        "KB" => (1000, 1),
        "MB" => (1000, 2),
        "GB" => (1000, 3),
        "TB" => (1000, 4),
        "KiB" => (1024, 1),
        "MiB" => (1024, 2),
        "GiB" => (1024, 3),
        "TiB" => (1024, 4),
        _ => return Err(format!("{unit:?} is not one of KiB, MiB, GiB, TiB, KB, MB, GB, TB")),
    };
    number.checked_mul(u64::pow(of, power)).ok_or_else(|| "too much".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        assert_eq!(bytes("10GiB").unwrap(), 10 << 30);
        assert_eq!(bytes("2 MB").unwrap(), 2_000_000);
        assert_eq!(bytes("1048576").unwrap(), 1 << 20);
        for bad in ["", "GiB", "1KiB", "1", "-1GiB", "99999999999999999999", "17000000TiB"] {
            assert!(bytes(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn times() {
        assert_eq!(duration("90").unwrap(), Duration::from_secs(90));
        assert_eq!(duration("24h").unwrap(), Duration::from_secs(86_400));
        assert_eq!(duration("250ms").unwrap(), Duration::from_millis(250));
        for bad in ["", "h", "1w", "-1s", "99999999999999999999", "18446744073709551615d"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn sizes_of_a_file() {
        assert_eq!(["7", "64KiB", "16MiB", "1KB"].map(|s| size(s).unwrap()), [7, 1 << 16, 1 << 24, 1000]);
        for bad in ["", "KiB", "1T", "-1", "18446744073709551615KB"] {
            assert!(size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn hosts() {
        for good in ["hub.lan", "10.0.0.5:4580", "fd00::5", "[fd00::5]:80", "*.lan"] {
            assert_eq!(host(good).as_deref(), Ok(good));
        }
        for bad in ["", "https://hub.lan", "a b", "hüb", "a@b"] {
            assert!(host(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn capacity_providers() {
        for good in ["FARGATE", "FARGATE_SPOT", "walled", "a_b-1"] {
            assert_eq!(capacity_provider(good).as_deref(), Ok(good));
        }
        for bad in ["", "fargate", "FARGATE_X", "aws-1", "a b", "ECSx"] {
            assert!(capacity_provider(bad).is_err(), "{bad}");
        }
    }
}
