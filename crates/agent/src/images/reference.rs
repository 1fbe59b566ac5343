//! Image names: what people write in a task definition's `image`, in Docker's normal form.

use super::digest::Digest;
use std::fmt;

/// A parsed image name. Its `Display` is the full form (`docker.io/library/nginx:latest`), the one that
/// containerd and so ECS's messages use.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Reference {
    /// Host, with a port where one was written: `docker.io`, `localhost:5000`.
    pub host: String,
    /// Path below the host: `library/nginx`.
    pub repository: String,
    /// Tag; `latest` where neither a tag nor a digest was written.
    pub tag: Option<String>,
    /// Digest. Where a tag is written as well, the digest decides and the tag is only shown.
    pub digest: Option<Digest>,
}

/// Why a text isn't an image name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceSyntax {
    #[error("the host '{0}' is not valid")]
    Host(String),
    #[error("the repository name '{0}' is not valid")]
    Repository(String),
    #[error("the tag '{0}' is not valid")]
    Tag(String),
    #[error(transparent)]
    Digest(#[from] super::digest::DigestSyntax),
}

impl Reference {
    /// Parses `text` by the grammar of the distribution specification ("Pulling manifests") and Docker's
    /// rule for short names: the first part is a host only if it has a dot or a colon, or is `localhost`.
    pub fn parse(text: &str) -> Result<Self, ReferenceSyntax> {
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, Some(digest.parse()?)),
            None => (text, None),
        };
        // A colon after the last slash begins a tag; one before it belongs to the host's port.
        let tag_colon = name.rfind(':').filter(|&colon| !name[colon..].contains('/'));
        let (path, tag) = match tag_colon {
            Some(colon) => (&name[..colon], Some(&name[colon + 1..])),
            None => (name, None),
        };
        let (host, repository) = match path.split_once('/') {
            Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" => {
                (first.to_owned(), rest.to_owned())
            }
            Some(_) => ("docker.io".to_owned(), path.to_owned()),
            None => ("docker.io".to_owned(), format!("library/{path}")),
        };
        let host = match host.as_str() {
            "index.docker.io" | "registry-1.docker.io" => "docker.io".to_owned(),
            _ => host,
        };
        if !is_host(&host) {
            return Err(ReferenceSyntax::Host(host));
        }
        if !is_repository(&repository) {
            return Err(ReferenceSyntax::Repository(repository));
        }
        if let Some(tag) = tag.filter(|tag| !is_tag(tag)) {
            return Err(ReferenceSyntax::Tag(tag.to_owned()));
        }
        let tag = match (&digest, tag) {
            (None, None) => Some("latest".to_owned()),
            (_, tag) => tag.map(str::to_owned),
        };
        Ok(Self { host, repository, tag, digest })
    }
}

fn is_host(host: &str) -> bool {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !name.ends_with(':') => (name, Some(port)),
        _ => (host, None),
    };
    let name_is_valid = match name.strip_prefix('[').and_then(|n| n.strip_suffix(']')) {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            name.split('.').all(|label| {
                !label.is_empty()
                    && !label.starts_with('-')
                    && !label.ends_with('-')
                    && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            }) && name.len() <= 253
        }
    };
    name_is_valid && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0))
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/…)*`, 255 characters at most.
fn is_repository(name: &str) -> bool {
    name.len() <= 255 && name.split('/').all(is_path_component)
}

fn is_path_component(component: &str) -> bool {
    let is_word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = component.as_bytes();
    let (Some(&first), Some(&last)) = (bytes.first(), bytes.last()) else { return false };
    if !is_word(first) || !is_word(last) {
        return false;
    }
    bytes.split(|&b| is_word(b)).all(|separator| {
        matches!(separator, b"" | b"." | b"_" | b"__") || separator.iter().all(|&b| b == b'-')
    })
}

/// `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`.
fn is_tag(tag: &str) -> bool {
    let bytes = tag.as_bytes();
    let is_word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    bytes.len() <= 128
        && bytes.first().is_some_and(|&b| is_word(b))
        && bytes.iter().all(|&b| is_word(b) || b == b'.' || b == b'-')
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.host, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full(text: &str) -> String {
        Reference::parse(text).unwrap().to_string()
    }

    #[test]
    fn short_names_mean_docker_hub() {
        assert_eq!(full("nginx"), "docker.io/library/nginx:latest");
        assert_eq!(full("nginx:1.27"), "docker.io/library/nginx:1.27");
        assert_eq!(full("grafana/grafana"), "docker.io/grafana/grafana:latest");
        assert_eq!(full("index.docker.io/library/nginx"), "docker.io/library/nginx:latest");
    }

    #[test]
    fn hosts_ports_tags_and_digests() {
        assert_eq!(full("localhost:5000/a/b:c"), "localhost:5000/a/b:c");
        assert_eq!(full("localhost/a"), "localhost/a:latest");
        assert_eq!(full("[::1]:5000/a"), "[::1]:5000/a:latest");
        let ecr = "000000000000.dkr.ecr.us-east-1.amazonaws.com/team/web:v1";
        assert_eq!(full(ecr), ecr);
        let pinned = format!("a.example/x@sha256:{}", "0".repeat(64));
        assert_eq!(full(&pinned), pinned);
        let both = format!("a.example/x:v1@sha256:{}", "a".repeat(64));
        assert_eq!(full(&both), both);
    }

    #[test]
    fn what_is_no_image_name() {
        for bad in [
            "",
            ":",
            "/",
            "a//b",
            "A/b",
            "a/../b",
            "a:b:c",
            "a:",
            "a@sha256:00",
            "a@md5:00",
            "nginx:-x",
            "host.example:99999/a",
            "host.example:/a",
            "-h.example/a",
            "a.-b/c",
            "a b",
            "a/b\n",
            "x/.y",
            "http://a.example/b",
            "a___b",
            "[::1/a",
            "a.example/%2e%2e/b",
        ] {
            assert!(Reference::parse(bad).is_err(), "{bad:?} was taken");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_parses_or_is_refused_and_the_full_form_is_stable(text in ".{0,80}") {
            if let Ok(reference) = Reference::parse(&text) {
                let again = Reference::parse(&reference.to_string()).unwrap();
                proptest::prop_assert_eq!(again, reference);
            }
        }

        #[test]
        fn names_in_the_grammar_are_taken(text in "([a-z0-9]{1,5}\\.[a-z]{2,3}(:[1-9][0-9]{2})?/)?[a-z0-9]{1,8}([._-][a-z0-9]{1,4}){0,2}(:[\\w][\\w.-]{0,9})?") {
            proptest::prop_assume!(text.is_ascii());
            let reference = Reference::parse(&text).unwrap();
            proptest::prop_assert_eq!(Reference::parse(&reference.to_string()).unwrap(), reference);
        }
    }
}
