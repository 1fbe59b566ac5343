use std::path::PathBuf;

/// Why a call of the runtime failed.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// The runtime's name is neither a path nor of the form `io.containerd.NAME.vN`.
    #[error("runtime {name:?} is neither a path nor of the form io.containerd.NAME.vN")]
    Name { name: String },
    /// No such program on PATH or beside this one.
    #[error("shim {binary:?} was not found on PATH")]
    NotFound { binary: String },
    #[error("cannot run shim {program}: {source}")]
    Spawn {
        program: PathBuf,
        #[source]
        source: std::io::Error,
    },
    /// `start` ended badly; what it wrote to its standard error.
    #[error("shim {verb} failed: {said}")]
    Refused { verb: &'static str, said: String },
    #[error("shim printed {said:?} where its address was expected")]
    Address { said: String },
    #[error("cannot connect to the shim at {address}: {said}")]
    Connect { address: String, said: String },
    /// The shim answered with an error; `said` is its own text.
    #[error("{said}")]
    Call { method: &'static str, code: i32, said: String },
    /// The connection ended before the answer.
    #[error("the shim is gone ({method}: {said})")]
    Gone { method: &'static str, said: String },
    #[error("{what} {path}: {source}")]
    Io {
        what: &'static str,
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
}

impl RuntimeError {
    /// The shim knows no such container or process.
    pub fn is_not_found(&self) -> bool {
        // gRPC's NOT_FOUND; ttrpc takes its codes over.
        matches!(self, RuntimeError::Call { code: 5, .. })
    }

    /// The shim knows one of that name already.
    pub fn is_already_there(&self) -> bool {
        // gRPC's ALREADY_EXISTS.
        matches!(self, RuntimeError::Call { code: 6, .. })
    }
}
