//! What verifying can find.

use std::path::PathBuf;

use serde::{Serialize, Serializer};

use crate::{
    digest::Digest,
    name::Tag,
    state::entities::{RepositoryKey, Scope},
};

/// One thing that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "finding", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Finding {
    /// A record of the database that doesn't read as one of the registry's.
    UnreadableRecord {
        key: String,
        error: String,
    },
    /// The bytes are no longer those that were pushed.
    DamagedBlob {
        digest: Digest,
        actual: Digest,
        path: PathBuf,
        users: Vec<User>,
    },
    /// The bytes are right, but a record says another length.
    WrongSize {
        digest: Digest,
        said: u64,
        actual: u64,
        users: Vec<User>,
    },
    /// The disk doesn't give the bytes.
    UnreadableBlob {
        digest: Digest,
        error: String,
        path: PathBuf,
        users: Vec<User>,
    },
    MissingBlob {
        digest: Digest,
        users: Vec<User>,
    },
    /// A manifest needs what its repository doesn't have.
    IncompleteManifest {
        image: User,
        missing: Vec<Digest>,
    },
    /// A tag stands at a manifest that its repository doesn't have.
    DanglingTag {
        repository: Place,
        tag: Tag,
        digest: Digest,
    },
    /// A file that no record names. It takes room, and the next start removes it if it is Longshore's own.
    LeftOver {
        path: PathBuf,
    },
}

/// A repository, for a reader.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place(pub(super) RepositoryKey);

/// Who needs a blob: the images of one repository, or nothing there but its link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct User {
    pub repository: Place,
    pub images: Vec<Image>,
}

/// A manifest of a repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Image {
    pub digest: Digest,
    pub tags: Vec<Tag>,
}

impl Finding {
    /// Whether something that was pushed can't be pulled as it was pushed.
    pub fn is_damage(&self) -> bool {
        !matches!(self, Self::LeftOver { .. })
    }

    /// Whether both say the same of the same thing; who needs it may have changed meanwhile.
    pub(super) fn is_about(&self, other: &Self) -> bool {
        let same_thing = match (self, other) {
            (Self::UnreadableRecord { key, .. }, Self::UnreadableRecord { key: other, .. }) => key == other,
            (Self::LeftOver { path }, Self::LeftOver { path: other }) => path == other,
            (Self::DanglingTag { .. }, Self::DanglingTag { .. }) => self == other,
            (Self::IncompleteManifest { image, .. }, Self::IncompleteManifest { image: other, .. }) => {
                let digest = |user: &User| user.images.first().map(|image| image.digest.clone());
                image.repository == other.repository && digest(image) == digest(other)
            }
            _ => self.digest().is_some() && self.digest() == other.digest(),
        };
        same_thing && std::mem::discriminant(self) == std::mem::discriminant(other)
    }

    /// The blob that it is about.
    pub fn digest(&self) -> Option<&Digest> {
        match self {
            Self::DamagedBlob { digest, .. }
            | Self::WrongSize { digest, .. }
            | Self::UnreadableBlob { digest, .. }
            | Self::MissingBlob { digest, .. } => Some(digest),
            Self::UnreadableRecord { .. }
            | Self::IncompleteManifest { .. }
            | Self::DanglingTag { .. }
            | Self::LeftOver { .. } => None,
        }
    }
}

impl std::fmt::Display for Place {
    /// As in an ARN's parts: account, region, name.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Scope { account, region } = &self.0.scope;
        write!(f, "{account}/{region}/{}", self.0.name)
    }
}

impl Serialize for Place {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl std::fmt::Display for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.repository)?;
        for (n, image) in self.images.iter().enumerate() {
            f.write_str(if n == 0 { ": " } else { ", " })?;
            match image.tags.as_slice() {
                [] => write!(f, "{}", image.digest)?,
                tags => f.write_str(&tags.iter().map(Tag::as_str).collect::<Vec<_>>().join(", "))?,
            }
        }
        Ok(())
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let users = match self {
            Self::UnreadableRecord { key, error } => {
                return write!(f, "record '{key}' does not read as the registry's: {error}");
            }
            Self::DanglingTag { repository, tag, digest } => {
                return write!(f, "tag '{tag}' of {repository} stands at {digest}, which is not there");
            }
            Self::LeftOver { path } => return write!(f, "left over: {}", path.display()),
            Self::IncompleteManifest { image, missing } => {
                write!(f, "image {image} lacks what it needs:")?;
                return missing.iter().try_for_each(|digest| write!(f, "\n    {digest}"));
            }
            Self::DamagedBlob { digest, actual, path, users } => {
                write!(f, "blob {digest} is damaged\n    {} has the digest {actual}", path.display())?;
                users
            }
            Self::WrongSize { digest, said, actual, users } => {
                write!(f, "blob {digest} has {actual} bytes, and a record says {said}")?;
                users
            }
            Self::UnreadableBlob { digest, error, path, users } => {
                write!(f, "blob {digest} can't be read\n    {}: {error}", path.display())?;
                users
            }
            Self::MissingBlob { digest, users } => {
                write!(f, "blob {digest} is missing")?;
                users
            }
        };
        users.iter().try_for_each(|user| write!(f, "\n    needed by {user}"))
    }
}
