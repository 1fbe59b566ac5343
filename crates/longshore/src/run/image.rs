//! What an image's name means on the command line: our registry first, then what it says.

use anyhow::Result;
use wire::ecr;

use crate::talk::Client;

/// The name for a task definition. A name without a registry's host is ours if there is such a
/// repository.
pub async fn resolve(client: &Client, image: &str) -> Result<String> {
    if names_a_host(image) {
        return Ok(image.to_owned());
    }
    let request = ecr::DescribeRepositoriesRequest {
        repository_names: Some(vec![repository(image).to_owned()]),
        ..Default::default()
    };
    match client.call::<ecr::ops::DescribeRepositories>(&request).await {
        Ok(_) => Ok(format!("{}.dkr.ecr.{}.amazonaws.com/{image}", client.account, client.region)),
        // Not there, or no name that ours could have: another registry's, then.
        Err(error) if error.code().is_some() => Ok(image.to_owned()),
        Err(error) => Err(error.into()),
    }
}

/// Docker's rule: the part before the first slash is a host if it has a dot or a port, or is localhost.
pub fn names_a_host(image: &str) -> bool {
    image.split_once('/').is_some_and(|(host, _)| host.contains(['.', ':']) || host == "localhost")
}

/// The name without tag and digest.
pub fn repository(image: &str) -> &str {
    let image = image.split('@').next().unwrap_or(image);
    match image.rsplit_once(':') {
        // A colon before a slash is a port's.
        Some((name, tag)) if !tag.contains('/') => name,
        _ => image,
    }
}

/// A name for the container and its family: the repository's last part, in the letters that ECS allows.
pub fn name(image: &str) -> String {
    let last = repository(image).rsplit('/').next().unwrap_or_default();
    let allowed = |c: char| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '-' };
    let name: String = last.chars().map(allowed).take(200).collect();
    if name.is_empty() { "task".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for (image, host, repo, short) in [
            ("web", false, "web", "web"),
            ("team/web:1.2", false, "team/web", "web"),
            ("localhost:5000/a.b/c.d:x", true, "localhost:5000/a.b/c.d", "c-d"),
            ("localhost/web", true, "localhost/web", "web"),
            ("ghcr.io/x/y@sha256:0a", true, "ghcr.io/x/y", "y"),
            ("", false, "", "task"),
        ] {
            assert_eq!((names_a_host(image), repository(image), name(image).as_str()), (host, repo, short));
        }
    }
}
