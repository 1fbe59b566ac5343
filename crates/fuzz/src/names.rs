//! Names: ARNs, image references, repositories, tags, digests, the registry's paths.

use agent::images::{Digest, Reference, Resolver};
use wire::arn;

pub fn check(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    arns(&text);
    images(&text);
    // A path that means something means a clean name.
    if let Some(name) = registry::fuzzing::repository_of_path(&text) {
        is_clean(&name);
    }
}

fn arns(text: &str) {
    if let Ok(arn) = text.parse::<arn::Arn>() {
        assert_eq!(arn.to_string(), text);
    }
    for named in [arn::cluster(text), arn::task(text), arn::service(text), arn::container_instance(text)]
        .into_iter()
        .flatten()
    {
        assert!(!named.name.is_empty() && !named.name.contains('/'));
        let short = match &named.cluster {
            Some(cluster) => format!("{cluster}/{}", named.name),
            None => named.name.clone(),
        };
        assert!(text.ends_with(&short), "{short} is no part of {text}");
    }
    if let Some(named) = arn::task_definition(text) {
        assert_ne!(named.revision, Some(0));
        assert!(!named.family.is_empty() && !named.family.contains(['/', ':']));
    }
    for name in [arn::repository(text), arn::log_group(text)].into_iter().flatten() {
        assert!(!name.is_empty() && text.contains(&name));
    }
}

fn images(text: &str) {
    if let Ok(digest) = text.parse::<Digest>() {
        assert_eq!(digest.as_str(), text);
        assert_eq!(Digest::from_file_name(&digest.file_name()), Some(digest));
    }
    if let Ok(reference) = Reference::parse(text) {
        let full = reference.to_string();
        assert_eq!(Reference::parse(&full).as_ref(), Ok(&reference), "{full}");
        is_clean(&reference.repository);
        let target = Resolver::default().resolve(&reference);
        assert!(target.base.starts_with("http") && !target.base.ends_with('/'));
        assert!(target.ecr.is_none(), "without an endpoint of ours nothing is ours");
    }
}

/// A part of URLs and of paths on disk.
fn is_clean(name: &str) {
    assert!(!name.split('/').any(|part| matches!(part, "" | "." | "..")), "{name}");
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-/".contains(&b);
    assert!(name.bytes().all(allowed), "{name}");
}
