//! The agent's images: pull from any OCI registry, unpack each layer once, give every container a root
//! file system of its own over the shared layers.
//!
//! Must never: start a container, know about tasks, or use content before its digest has been checked.
//! Start reading at [`ImageStore`] (`store.rs`, then `pull.rs`); `unpack/` is where strangers' archives
//! meet the disk, `rootfs.rs` where layers become an overlay.
//!
//! On disk, below the store's directory: `layers/` (unpacked trees), `images/` (what each image is made
//! of), `rootfs/` (what containers write), `tmp/` (downloads under way; emptied when the store is opened).

mod digest;
mod error;
mod flight;
mod fresh;
mod index;
mod layers;
mod manifest;
mod overlay;
mod pull;
mod reference;
mod registry;
mod resolver;
mod rootfs;
mod store;
mod sys;
pub mod unpack;
mod user;

/// The documents of an image as the fuzz targets read them.
#[doc(hidden)]
pub mod documents {
    pub use super::manifest::{ConfigDocument, Descriptor, Document, choose};
}

pub use digest::{Digest, DigestSyntax};
pub use error::{PullError, PullErrorKind, RequestError};
pub use manifest::{ImageConfig, Platform};
pub use overlay::{MountError, unmount};
pub use pull::{Progress, PullEvent, PulledImage};
pub use reference::{Reference, ReferenceSyntax};
pub use resolver::{Auth, Basic, EcrCredentials, EcrScope, EcrToken, Resolver, Target};
pub use rootfs::{RootfsError, RootfsMounts};
pub use store::{Collected, ImageStore, ImagesConfig, OpenError};
pub(crate) use sys::open_in_root;
pub use user::{ResolvedUser, UserError, resolve_user};
