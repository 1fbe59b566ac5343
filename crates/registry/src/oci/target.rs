//! What a path below `/v2/` means (OCI distribution spec, "Endpoints"). Pure.
//!
//! A repository's name may hold slashes, so a path is read from its end.

use percent_encoding::percent_decode_str;
use uuid::Uuid;

use super::error::OciError;
use crate::{
    digest::Digest,
    name::{Reference, RepositoryName},
};

#[derive(Debug, PartialEq, Eq)]
pub enum Target {
    Base,
    /// Not of the spec: where a password is exchanged for a bearer token.
    Token,
    /// Docker's extension; a registry may offer it.
    Catalog,
    Blob(RepositoryName, Digest),
    Uploads(RepositoryName),
    Upload(RepositoryName, Uuid),
    Manifest(RepositoryName, Reference),
    Tags(RepositoryName),
    Referrers(RepositoryName, Digest),
}

impl Target {
    /// Reads a request's raw path.
    pub fn parse(path: &str) -> Result<Self, OciError> {
        let rest = path.strip_prefix("/v2").ok_or_else(OciError::not_found)?;
        let decoded: Option<Vec<String>> = rest
            .split('/')
            .skip(1)
            .map(|s| percent_decode_str(s).decode_utf8().ok().map(Into::into))
            .collect();
        let segments = decoded.ok_or_else(OciError::not_found)?;
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        match segments.as_slice() {
            [] | [""] => Ok(Self::Base),
            ["token"] => Ok(Self::Token),
            ["_catalog"] => Ok(Self::Catalog),
            [name @ .., "blobs", "uploads"] | [name @ .., "blobs", "uploads", ""] => {
                Ok(Self::Uploads(repository(name)?))
            }
            [name @ .., "blobs", "uploads", id] => {
                let name = repository(name)?;
                // Only the form we give: `Uuid` reads braces and URNs too, a file name must not.
                let id = Uuid::parse_str(id)
                    .ok()
                    .filter(|uuid| uuid.to_string() == **id)
                    .ok_or(crate::blobs::upload::UploadError::Unknown)?;
                Ok(Self::Upload(name, id))
            }
            [name @ .., "blobs", digest] => Ok(Self::Blob(repository(name)?, digest.parse()?)),
            [name @ .., "manifests", reference] => {
                let name = repository(name)?;
                let reference = if reference.contains(':') {
                    Reference::Digest(reference.parse()?)
                } else {
                    Reference::Tag(reference.parse()?)
                };
                Ok(Self::Manifest(name, reference))
            }
            [name @ .., "tags", "list"] => Ok(Self::Tags(repository(name)?)),
            [name @ .., "referrers", digest] => Ok(Self::Referrers(repository(name)?, digest.parse()?)),
            _ => Err(OciError::not_found()),
        }
    }
}

impl Target {
    /// The repository that is meant.
    pub fn repository(&self) -> Option<&RepositoryName> {
        match self {
            Self::Base | Self::Token | Self::Catalog => None,
            Self::Blob(name, _)
            | Self::Uploads(name)
            | Self::Upload(name, _)
            | Self::Manifest(name, _)
            | Self::Tags(name)
            | Self::Referrers(name, _) => Some(name),
        }
    }

    /// The methods that are answered there (RFC 9110, 10.2.1).
    pub fn methods(&self) -> &'static str {
        match self {
            Self::Base | Self::Catalog | Self::Tags(_) | Self::Referrers(..) => "GET, HEAD",
            Self::Token => "GET",
            Self::Blob(..) => "GET, HEAD, DELETE",
            Self::Uploads(_) => "POST",
            Self::Upload(..) => "GET, HEAD, PATCH, PUT, DELETE",
            Self::Manifest(..) => "GET, HEAD, PUT, DELETE",
        }
    }
}

fn repository(segments: &[&str]) -> Result<RepositoryName, OciError> {
    // A segment with a decoded slash in it would read as two.
    if segments.iter().any(|s| s.contains('/')) {
        return Err(crate::name::InvalidName::Repository(segments.join("/")).into());
    }
    Ok(segments.join("/").parse()?)
}

/// A query's parameters, decoded, in their order.
pub fn query(raw: Option<&str>) -> Vec<(String, String)> {
    let decode = |s: &str| {
        let s = s.replace('+', " ");
        percent_decode_str(&s).decode_utf8_lossy().into_owned()
    };
    raw.unwrap_or_default()
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(key), decode(value))
        })
        .collect()
}

/// The first value of a parameter.
pub fn first<'a>(query: &'a [(String, String)], key: &str) -> Option<&'a str> {
    query.iter().find(|(k, _)| k == key).map(|(_, v)| v.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn paths() {
        let name = |s: &str| s.parse::<RepositoryName>().unwrap();
        let digest = Digest::of(b"x");
        assert_eq!(Target::parse("/v2").unwrap(), Target::Base);
        assert_eq!(Target::parse("/v2/").unwrap(), Target::Base);
        assert_eq!(Target::parse("/v2/a/b/tags/list").unwrap(), Target::Tags(name("a/b")));
        assert_eq!(Target::parse("/v2/a/blobs/uploads/").unwrap(), Target::Uploads(name("a")));
        assert_eq!(
            Target::parse("/v2/a/manifests/b/manifests/v1").unwrap(),
            Target::Manifest(name("a/manifests/b"), Reference::Tag("v1".parse().unwrap()))
        );
        let escaped = digest.as_str().replace(':', "%3A");
        assert_eq!(
            Target::parse(&format!("/v2/a/blobs/{escaped}")).unwrap(),
            Target::Blob(name("a"), digest)
        );
    }

    #[test]
    fn tricks_are_refused() {
        for path in [
            "/v2/../blobs/sha256:0",
            "/v2/%2e%2e/tags/list",
            "/v2/a%2fb/tags/list",
            "/v2/a/../b/tags/list",
            "/v2//tags/list",
            "/v2/a/manifests/..",
            "/v2/a/manifests/sha256:..%2f..%2fetc",
            "/v2/a/blobs/sha256:zz",
            "/v2/a/blobs/uploads/..",
            "/v2/a/blobs/uploads/..%2f..",
            "/v2/a/blobs/uploads/urn:uuid:67e55044-10b1-426f-9247-bb680e5fe0c8",
            "/v2/a/blobs/uploads/67E55044-10B1-426F-9247-BB680E5FE0C8",
            "/v2/%ff/tags/list",
            "/v2/a",
            "/v3/",
        ] {
            assert!(Target::parse(path).is_err(), "{path}");
        }
    }

    proptest! {
        #[test]
        fn no_path_panics(path: String) {
            let _ = Target::parse(&format!("/v2/{path}"));
            let _ = query(Some(&path));
        }
    }
}
