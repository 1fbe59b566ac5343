//! CycloneDX (ECMA-424) with vulnerabilities. Pure.

use std::collections::BTreeMap;

use serde::Deserialize;
use wire::ecr::FindingSeverity;

use super::{Finding, Report, Unreadable, of_score, rank};

pub(super) const MEDIA_TYPE: &str = "application/vnd.cyclonedx+json";

#[derive(Deserialize)]
struct Bom {
    #[serde(default)]
    components: Vec<Component>,
    vulnerabilities: Option<Vec<Vulnerability>>,
}

#[derive(Deserialize)]
struct Component {
    #[serde(rename = "bom-ref")]
    bom_ref: Option<String>,
    name: String,
    version: Option<String>,
    #[serde(default)]
    components: Vec<Component>,
}

#[derive(Deserialize)]
struct Vulnerability {
    id: Option<String>,
    source: Option<Source>,
    #[serde(default)]
    ratings: Vec<Rating>,
    description: Option<String>,
    analysis: Option<Analysis>,
    #[serde(default)]
    affects: Vec<Affected>,
}

#[derive(Deserialize)]
struct Source {
    url: Option<String>,
}

#[derive(Deserialize)]
struct Rating {
    severity: Option<String>,
    score: Option<f64>,
}

#[derive(Deserialize)]
struct Analysis {
    state: Option<String>,
}

#[derive(Deserialize)]
struct Affected {
    #[serde(rename = "ref")]
    of: String,
}

/// `None`: a list of components that says nothing of vulnerabilities, which is no report.
pub(super) fn read(text: &[u8]) -> Result<Option<Report>, Unreadable> {
    let bom: Bom = serde_json::from_slice(text).map_err(|error| Unreadable::Json(error.to_string()))?;
    let Some(vulnerabilities) = &bom.vulnerabilities else { return Ok(None) };
    let mut components = BTreeMap::new();
    let mut waiting: Vec<&Component> = bom.components.iter().collect();
    while let Some(component) = waiting.pop() {
        waiting.extend(&component.components);
        if let Some(name) = component.bom_ref.as_deref() {
            components.insert(name, component);
        }
    }
    let mut findings = Vec::new();
    for vulnerability in vulnerabilities.iter().filter(|v| v.counts()) {
        // As ECR: one for each package that it is in.
        let packages = vulnerability.affects.iter().map(|affected| attributes(&components, &affected.of));
        let mut packages: Vec<_> = packages.collect();
        if packages.is_empty() {
            packages.push(Vec::new());
        }
        findings.extend(packages.into_iter().map(|attributes| Finding {
            name: vulnerability.id.clone().unwrap_or_else(|| "unnamed".to_owned()),
            severity: vulnerability.severity(),
            description: vulnerability.description.clone(),
            uri: vulnerability.source.as_ref().and_then(|source| source.url.clone()),
            attributes,
        }));
    }
    Ok(Some(Report::new(findings)))
}

fn attributes(components: &BTreeMap<&str, &Component>, of: &str) -> Vec<(&'static str, String)> {
    match components.get(of) {
        Some(component) => {
            let version = component.version.clone().map(|version| ("package_version", version));
            [("package_name", component.name.clone())].into_iter().chain(version).collect()
        }
        None => vec![("package_name", of.to_owned())],
    }
}

impl Vulnerability {
    /// Somebody has looked, and it is none here (VEX).
    fn counts(&self) -> bool {
        let state = self.analysis.as_ref().and_then(|analysis| analysis.state.as_deref());
        !matches!(state, Some("resolved" | "resolved_with_pedigree" | "false_positive" | "not_affected"))
    }

    /// The worst that anybody gives it.
    fn severity(&self) -> FindingSeverity {
        let of = |rating: &Rating| match rating.severity.as_deref() {
            Some("critical") => FindingSeverity::Critical,
            Some("high") => FindingSeverity::High,
            Some("medium") => FindingSeverity::Medium,
            Some("low") => FindingSeverity::Low,
            Some("info" | "none") => FindingSeverity::Informational,
            _ => rating.score.map_or(FindingSeverity::Undefined, of_score),
        };
        self.ratings.iter().map(of).min_by_key(|s| rank(*s)).unwrap_or(FindingSeverity::Undefined)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn one_for_each_package_at_its_worst() {
        let bom = json!({"bomFormat": "CycloneDX", "specVersion": "1.6",
        "components": [{"type": "library", "bom-ref": "a", "name": "libc", "version": "2.36",
                        "components": [{"bom-ref": "b", "name": "nss"}]}],
        "vulnerabilities": [
            {"id": "CVE-1", "description": "bad", "source": {"url": "https://nvd"},
             "ratings": [{"severity": "low"}, {"score": 9.1}], "affects": [{"ref": "a"}, {"ref": "b"}]},
            {"id": "CVE-2", "ratings": [{"severity": "info"}]},
            {"id": "CVE-3", "affects": [{"ref": "pkg:x"}]},
            {"id": "CVE-4", "analysis": {"state": "not_affected"}},
            {"id": "CVE-5", "analysis": {"state": "exploitable"}, "ratings": [{"severity": "high"}]},
        ]});
        let report = read(bom.to_string().as_bytes()).unwrap().unwrap();
        let told: Vec<(&str, FindingSeverity)> =
            report.findings.iter().map(|f| (f.name.as_str(), f.severity)).collect();
        use FindingSeverity::*;
        assert_eq!(
            told,
            [
                ("CVE-1", Critical),
                ("CVE-1", Critical),
                ("CVE-5", High),
                ("CVE-2", Informational),
                ("CVE-3", Undefined),
            ]
        );
        let libc = [("package_name", "libc".to_owned()), ("package_version", "2.36".to_owned())];
        assert_eq!(report.findings[0].attributes, libc);
        assert_eq!(report.findings[1].attributes, [("package_name", "nss".to_owned())]);
        assert_eq!(read(br#"{"components": []}"#).unwrap(), None, "says nothing of vulnerabilities");
        assert_eq!(read(br#"{"vulnerabilities": []}"#).unwrap(), Some(Report::default()));
    }

    proptest! {
        #[test]
        fn no_text_panics(text: String) {
            let _ = read(text.as_bytes());
        }
    }
}
