//! The driver's options as they stand in `LogConfig.Config` (ECS API reference, LogConfiguration).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What happens when the control plane can't keep up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mode {
    /// The container waits.
    Blocking,
    /// New lines are dropped once this many bytes wait.
    NonBlocking { max_buffer: u64 },
}

/// Where a container's lines go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AwsLogs {
    pub group: String,
    pub stream: String,
    pub region: Option<String>,
    pub create_group: bool,
    pub mode: Mode,
}

impl AwsLogs {
    /// Reads the options; the error names the one that is missing, wrong or not honoured.
    pub fn parse(options: &BTreeMap<String, String>) -> Result<Self, String> {
        let mut mode = None;
        let mut max_buffer = 1 << 20;
        let mut parsed = AwsLogs {
            group: String::new(),
            stream: String::new(),
            region: None,
            create_group: false,
            mode: Mode::Blocking,
        };
        for (name, value) in options {
            match name.as_str() {
                "awslogs-group" => parsed.group.clone_from(value),
                "awslogs-stream" => parsed.stream.clone_from(value),
                "awslogs-region" => parsed.region = Some(value.clone()),
                "awslogs-create-group" => {
                    parsed.create_group = value
                        .parse()
                        .map_err(|_| format!("awslogs-create-group must be true or false, not {value:?}"))?;
                }
                // The control plane made the stream's name of it.
                "awslogs-stream-prefix" => {}
                "mode" => mode = Some(value.as_str()),
                "max-buffer-size" => {
                    max_buffer =
                        bytes(value).ok_or_else(|| format!("max-buffer-size {value:?} is not a size"))?;
                }
                other => return Err(format!("logConfiguration option {other} is not supported yet")),
            }
        }
        parsed.mode = match mode {
            None | Some("blocking") => Mode::Blocking,
            Some("non-blocking") => Mode::NonBlocking { max_buffer },
            Some(other) => return Err(format!("log mode {other:?} is not known")),
        };
        if parsed.group.is_empty() {
            return Err("awslogs-group is missing".into());
        }
        if parsed.stream.is_empty() {
            return Err("awslogs-stream is missing".into());
        }
        Ok(parsed)
    }
}

/// Docker's sizes: a number with an optional k, m or g (powers of 1024) and an optional b.
fn bytes(text: &str) -> Option<u64> {
    let text = text.trim().to_ascii_lowercase();
    let text = text.strip_suffix('b').unwrap_or(&text);
    let (number, shift) = match text.strip_suffix(['k', 'm', 'g']) {
        Some(number) if text.ends_with('k') => (number, 10),
        Some(number) if text.ends_with('m') => (number, 20),
        Some(number) => (number, 30),
        None => (text, 0),
    };
    number.trim().parse::<u64>().ok()?.checked_mul(1 << shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(options: &[(&str, &str)]) -> Result<AwsLogs, String> {
        AwsLogs::parse(&options.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect())
    }

    #[test]
    fn what_is_needed_and_what_is_refused() {
        let ok = [("awslogs-group", "g"), ("awslogs-stream", "s")];
        assert_eq!(parse(&ok).unwrap().mode, Mode::Blocking);
        assert!(parse(&ok[..1]).unwrap_err().contains("awslogs-stream"));
        let error = parse(&[ok[0], ok[1], ("awslogs-multiline-pattern", "^")]).unwrap_err();
        assert!(error.contains("awslogs-multiline-pattern"), "{error}");
        let ring = parse(&[ok[0], ok[1], ("mode", "non-blocking"), ("max-buffer-size", "25m")]);
        assert_eq!(ring.unwrap().mode, Mode::NonBlocking { max_buffer: 25 << 20 });
    }

    #[test]
    fn sizes() {
        assert_eq!(bytes("10"), Some(10));
        assert_eq!(bytes("2k"), Some(2048));
        assert_eq!(bytes("1 MB"), Some(1 << 20));
        assert_eq!(bytes("x"), None);
        assert_eq!(bytes("99999999999g"), None);
    }
}
