//! ECS's network modes.

use std::fmt;
use std::str::FromStr;

use super::NetworkError;

/// `networkMode` of a task definition (ECS API reference, `TaskDefinition`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NetworkMode {
    Awsvpc,
    Bridge,
    Host,
    None,
}

impl fmt::Display for NetworkMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Awsvpc => "awsvpc",
            Self::Bridge => "bridge",
            Self::Host => "host",
            Self::None => "none",
        })
    }
}

impl FromStr for NetworkMode {
    type Err = NetworkError;

    /// The empty text is `bridge`: ECS's agent protocol leaves the field empty for it.
    fn from_str(text: &str) -> Result<Self, NetworkError> {
        match text {
            "awsvpc" => Ok(Self::Awsvpc),
            "bridge" | "" => Ok(Self::Bridge),
            "host" => Ok(Self::Host),
            "none" => Ok(Self::None),
            _ => Err(NetworkError::UnknownMode { text: text.to_owned() }),
        }
    }
}
