//! Where a registry's blobs are, and that they are its own.
//!
//! A registry removes what its records don't name. So a bucket's prefix belongs to one registry, by a mark with its id
//! in it, and a registry to one place, by a note in its directory: neither a second server nor a forgotten flag costs
//! anybody's blobs.

use std::{
    fs, io,
    path::{Path, PathBuf},
    str::FromStr,
};

use serde::{Deserialize, Serialize};

use super::storage::BlobError;

/// An S3 bucket, or a part of one, and how it is spoken to.
#[derive(Clone)]
pub struct BucketConfig {
    pub url: BucketUrl,
    /// `http(s)://host[:port]`; none: AWS's own for the region.
    pub endpoint: Option<String>,
    pub region: String,
    /// Key id and secret; none: those of the machine's role.
    pub key: Option<(String, String)>,
}

impl std::fmt::Debug for BucketConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BucketConfig")
            .field("url", &self.url)
            .field("endpoint", &self.endpoint)
            .field("region", &self.region)
            .finish_non_exhaustive()
    }
}

/// `s3://bucket[/prefix]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketUrl {
    pub bucket: String,
    /// Without slashes at its ends; may be empty.
    pub prefix: String,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not s3://bucket or s3://bucket/prefix")]
pub struct InvalidBucketUrl(String);

impl FromStr for BucketUrl {
    type Err = InvalidBucketUrl;

    fn from_str(s: &str) -> Result<Self, InvalidBucketUrl> {
        let invalid = || InvalidBucketUrl(s.to_owned());
        let rest = s.strip_prefix("s3://").ok_or_else(invalid)?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let prefix = prefix.trim_matches('/');
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
        let segment = |s: &str| !s.is_empty() && s.chars().all(is_plain) && s != "." && s != "..";
        // S3's rule for names of buckets, as far as it keeps a URL whole.
        let is_bucket = (3..=63).contains(&bucket.len()) && segment(bucket);
        if !is_bucket || !(prefix.is_empty() || prefix.split('/').all(segment)) {
            return Err(invalid());
        }
        Ok(Self { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
    }
}

impl std::fmt::Display for BucketUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "s3://{}", self.bucket)?;
        if self.prefix.is_empty() { Ok(()) } else { write!(f, "/{}", self.prefix) }
    }
}

/// A registry is told to look for its blobs where they aren't.
#[derive(Debug, thiserror::Error)]
pub enum LocationError {
    #[error("this registry's blobs are in {0}: say so with --blobs")]
    InBucket(String),
    #[error("this registry's blobs are in {has}, not in {asked}")]
    Elsewhere { has: String, asked: String },
    #[error(
        "this registry's blobs are in '{}': copy that directory's content to {asked}, and take the directory away \
         before you start with --blobs",
        path.display()
    )]
    InDirectory { path: PathBuf, asked: String },
    #[error("{0} belongs to another registry: every registry needs a prefix of its own")]
    Foreign(String),
    #[error("{0} no longer says that it belongs to this registry: is it the right bucket?")]
    Unmarked(String),
}

/// The note in a registry's directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Location {
    pub url: String,
    /// What the mark in the bucket says.
    pub id: String,
    /// Whether the mark has been set.
    pub marked: bool,
}

impl Location {
    fn file(data_dir: &Path) -> PathBuf {
        data_dir.join("blobs.json")
    }

    pub fn read(data_dir: &Path) -> Result<Option<Self>, BlobError> {
        let path = Self::file(data_dir);
        match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text)
                .map(Some)
                .map_err(io::Error::from)
                .map_err(BlobError::file("read", &path)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(BlobError::file("read", &path)(error)),
        }
    }

    pub fn write(&self, data_dir: &Path) -> Result<(), BlobError> {
        let (path, new) = (Self::file(data_dir), data_dir.join("blobs.json.new"));
        serde_json::to_vec(self)
            .map_err(io::Error::from)
            .and_then(|text| fs::write(&new, text))
            .and_then(|()| fs::File::open(&new)?.sync_all())
            .and_then(|()| fs::rename(&new, &path))
            .and_then(|()| fs::File::open(data_dir)?.sync_all())
            .map_err(BlobError::file("write", &path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn urls() {
        let url: BucketUrl = "s3://images/team/one/".parse().unwrap();
        assert_eq!((url.bucket.as_str(), url.prefix.as_str()), ("images", "team/one"));
        assert_eq!("s3://images".parse::<BucketUrl>().unwrap().prefix, "");
        for bad in [
            "",
            "images",
            "s3://",
            "s3:///x",
            "s3://im",
            "s3://images/a//b",
            "s3://images/../b",
            "s3://i m/x",
            "http://images/x",
        ] {
            assert!(bad.parse::<BucketUrl>().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn a_url_reads_back_as_it_is_shown(text in "s3://[a-z0-9-]{3,10}(/[a-zA-Z0-9._-]{1,5}){0,3}/?") {
            if let Ok(url) = text.parse::<BucketUrl>() {
                prop_assert_eq!(url.to_string().parse::<BucketUrl>().unwrap(), url);
            }
        }
    }
}
