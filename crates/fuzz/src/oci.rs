//! Manifests, indexes and configurations, read by the registry that stores them and by the agent that
//! pulls them.

use agent::images::documents::{ConfigDocument, Document, choose};
use agent::images::{ImageConfig, Platform};
use registry::fuzzing;

/// What a person reads of it is short.
const LONGEST_REASON: usize = 1024;

pub fn check(data: &[u8]) {
    let pulled = Document::parse(data);
    match &pulled {
        Ok(Document::Index(manifests)) => {
            let platform = Platform::linux("amd64");
            if let Some(chosen) = choose(manifests, &platform) {
                let of = chosen.platform.as_ref().expect("what is chosen has a platform");
                assert_eq!((of.os.as_str(), of.architecture.as_str()), ("linux", "amd64"));
                assert!(manifests.contains(chosen));
            }
        }
        Ok(Document::Image { .. }) => {}
        Err(reason) => is_short(reason),
    }
    for sent_as in [None, Some("application/vnd.oci.image.manifest.v1+json")] {
        match fuzzing::manifest(data, sent_as) {
            Ok(pushed) => agree(&pushed, pulled.as_ref().ok()),
            Err(reason) => is_short(&reason),
        }
    }
    match ConfigDocument::parse(data) {
        Ok(document) => {
            let text = serde_json::to_string(&document.config).expect("a configuration is JSON");
            let again: ImageConfig = serde_json::from_str(&text).expect("what was written is read");
            assert_eq!(again, document.config);
        }
        Err(reason) => is_short(&reason),
    }
}

/// What the agent would fetch is what the registry made sure of, so that no image that was pushed
/// whole is pulled in part.
fn agree(pushed: &fuzzing::Pushed, pulled: Option<&Document>) {
    let holds = |digest: &str| pushed.needs.iter().any(|need| need == digest);
    match pulled {
        Some(Document::Image { config, layers }) if !pushed.is_index => {
            assert!(holds(config.digest.as_str()), "the configuration was not asked for");
            let here = layers.iter().filter(|layer| !is_elsewhere(&layer.media_type));
            for layer in here {
                assert!(holds(layer.digest.as_str()), "a layer was not asked for");
            }
        }
        Some(Document::Index(manifests)) if pushed.is_index => {
            assert!(manifests.iter().all(|m| holds(m.digest.as_str())), "a manifest was not asked for");
        }
        _ => {}
    }
}

/// Layers that are not meant to be pushed (OCI image specification, "Non-Distributable Layers").
fn is_elsewhere(media_type: &str) -> bool {
    media_type.contains(".nondistributable.") || media_type.contains(".foreign.")
}

fn is_short(reason: &str) {
    assert!(!reason.is_empty());
    assert!(reason.len() <= LONGEST_REASON, "a reason of {} bytes", reason.len());
    assert!(!reason.contains(|c: char| c.is_control()), "a reason of more than one line: {reason:?}");
}
