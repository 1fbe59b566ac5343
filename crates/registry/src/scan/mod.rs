//! What an external scanner found in an image. Longshore has no scanner of its own: a report is an artifact that
//! refers to the image, in SARIF or CycloneDX, and the newest is what ECR's API tells.
//!
//! `report.rs` finds and reads it; `sarif.rs` and `cyclonedx.rs` say what it says (pure).

mod cyclonedx;
mod report;
mod sarif;

use std::collections::BTreeMap;

use wire::ecr::FindingSeverity;

pub(crate) use report::{Attached, Reports, newest};

/// What a report says, worst first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Report {
    pub findings: Vec<Finding>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// Usually a CVE's number.
    pub name: String,
    pub severity: FindingSeverity,
    pub description: Option<String>,
    pub uri: Option<String>,
    /// `package_name`, `package_version`, `scanner`.
    pub attributes: Vec<(&'static str, String)>,
}

impl Report {
    fn new(mut findings: Vec<Finding>) -> Self {
        findings.sort_by(|a, b| {
            (rank(a.severity), &a.name, &a.attributes).cmp(&(rank(b.severity), &b.name, &b.attributes))
        });
        findings.dedup();
        Self { findings }
    }

    pub fn counts(&self) -> BTreeMap<FindingSeverity, i32> {
        let mut counts = BTreeMap::new();
        self.findings.iter().for_each(|finding| *counts.entry(finding.severity).or_insert(0) += 1);
        counts
    }
}

/// Why an artifact is no report.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unreadable {
    #[error("it is not the JSON that it should be: {0}")]
    Json(String),
    #[error("it has more than {0} bytes")]
    TooLarge(u64),
    #[error("it has no layer of the media type {0}")]
    NoLayer(&'static str),
    #[error("its content is gone")]
    Gone,
}

fn rank(severity: FindingSeverity) -> u8 {
    match severity {
        FindingSeverity::Critical => 0,
        FindingSeverity::High => 1,
        FindingSeverity::Medium => 2,
        FindingSeverity::Low => 3,
        FindingSeverity::Informational => 4,
        FindingSeverity::Undefined => 5,
    }
}

/// CVSS's qualitative ratings (CVSS v3.1 specification, 5).
fn of_score(score: f64) -> FindingSeverity {
    match score {
        9.0.. => FindingSeverity::Critical,
        7.0.. => FindingSeverity::High,
        4.0.. => FindingSeverity::Medium,
        s if s > 0.0 => FindingSeverity::Low,
        0.0 => FindingSeverity::Informational,
        _ => FindingSeverity::Undefined,
    }
}
