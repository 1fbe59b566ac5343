//! SARIF 2.1.0 (OASIS), as scanners of images write it. Pure.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use wire::ecr::FindingSeverity;

use super::{Finding, Report, Unreadable, of_score};

pub(super) const MEDIA_TYPE: &str = "application/sarif+json";

#[derive(Deserialize)]
struct Document {
    runs: Vec<Run>,
}

#[derive(Deserialize)]
struct Run {
    tool: Tool,
    #[serde(default)]
    results: Option<Vec<Outcome>>,
}

#[derive(Deserialize)]
struct Tool {
    driver: Driver,
}

#[derive(Deserialize)]
struct Driver {
    name: String,
    #[serde(default)]
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    id: String,
    help_uri: Option<String>,
    short_description: Option<Text>,
    default_configuration: Option<Configuration>,
    #[serde(default)]
    properties: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
struct Configuration {
    level: Option<String>,
}

#[derive(Deserialize)]
struct Text {
    text: Option<String>,
}

/// A `result`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Outcome {
    rule_id: Option<String>,
    rule_index: Option<i64>,
    rule: Option<RuleReference>,
    kind: Option<String>,
    level: Option<String>,
    message: Option<Text>,
    #[serde(default)]
    properties: BTreeMap<String, Value>,
    #[serde(default)]
    suppressions: Option<Vec<Suppression>>,
}

#[derive(Deserialize)]
struct RuleReference {
    id: Option<String>,
    index: Option<i64>,
}

#[derive(Deserialize)]
struct Suppression {
    status: Option<String>,
}

pub(super) fn read(text: &[u8]) -> Result<Report, Unreadable> {
    let document: Document =
        serde_json::from_slice(text).map_err(|error| Unreadable::Json(error.to_string()))?;
    let mut findings = Vec::new();
    for run in &document.runs {
        let rules: BTreeMap<&str, &Rule> =
            run.tool.driver.rules.iter().map(|rule| (rule.id.as_str(), rule)).collect();
        let results = run.results.iter().flatten().filter(|result| result.counts());
        findings.extend(results.map(|result| finding(&run.tool.driver, &rules, result)));
    }
    Ok(Report::new(findings))
}

impl Outcome {
    /// Not what passed (3.27.9), nor what somebody accepted (3.27.23).
    fn counts(&self) -> bool {
        let suppressions = self.suppressions.as_deref().unwrap_or_default();
        let accepted = |s: &Suppression| s.status.as_deref().is_none_or(|status| status == "accepted");
        let is_suppressed = !suppressions.is_empty() && suppressions.iter().all(accepted);
        self.kind.as_deref().is_none_or(|kind| kind == "fail") && !is_suppressed
    }
}

fn finding(driver: &Driver, rules: &BTreeMap<&str, &Rule>, result: &Outcome) -> Finding {
    let named = result.rule.as_ref();
    let index = result.rule_index.or(named.and_then(|rule| rule.index));
    let id = result.rule_id.as_deref().or(named.and_then(|rule| rule.id.as_deref()));
    let by_index = index.and_then(|index| driver.rules.get(usize::try_from(index).ok()?));
    let rule = by_index.or_else(|| rules.get(id?).copied());
    let text = |text: &Option<Text>| text.as_ref().and_then(|text| text.text.clone());
    // GitHub's convention, which scanners keep to: the CVSS score of the rule, or of the result.
    let score = |properties: &BTreeMap<String, Value>| {
        let value = properties.get("security-severity")?;
        value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())
    };
    let score = score(&result.properties).or_else(|| score(&rule?.properties));
    let level = result.level.as_deref();
    let level = level.or_else(|| rule?.default_configuration.as_ref()?.level.as_deref()).unwrap_or("warning");
    Finding {
        name: id.or(rule.map(|rule| rule.id.as_str())).unwrap_or("unnamed").to_owned(),
        severity: score.map_or_else(|| of_level(level), of_score),
        description: text(&result.message).or_else(|| text(&rule?.short_description)),
        uri: rule.and_then(|rule| rule.help_uri.clone()),
        attributes: vec![("scanner", driver.name.clone())],
    }
}

fn of_level(level: &str) -> FindingSeverity {
    match level {
        "error" => FindingSeverity::High,
        "warning" => FindingSeverity::Medium,
        "note" => FindingSeverity::Low,
        "none" => FindingSeverity::Informational,
        _ => FindingSeverity::Undefined,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn severities_come_from_the_score_or_the_level() {
        let rule = |id: &str, score: &str| {
            json!({"id": id, "helpUri": format!("https://cve/{id}"),
            "shortDescription": {"text": "short"}, "properties": {"security-severity": score}})
        };
        let document = json!({"version": "2.1.0", "runs": [{
        "tool": {"driver": {"name": "Trivy", "rules": [
            rule("CVE-1", "9.8"), rule("CVE-2", "5.5"),
            {"id": "CVE-3", "defaultConfiguration": {"level": "note"}}]}},
        "results": [
            {"ruleId": "CVE-2", "ruleIndex": 1, "level": "error", "message": {"text": "in libc"}},
            {"ruleId": "CVE-1"},
            {"rule": {"id": "CVE-3"}},
            {"ruleId": "CVE-4", "level": "error"},
            {"ruleId": "CVE-5"},
            {"ruleId": "CVE-6", "kind": "pass"},
            {"ruleId": "CVE-7", "suppressions": [{"kind": "external"}]},
            {"ruleId": "CVE-8", "level": "none", "suppressions": [{"status": "rejected"}]},
        ]}]});
        let report = read(document.to_string().as_bytes()).unwrap();
        let told: Vec<(&str, FindingSeverity)> =
            report.findings.iter().map(|f| (f.name.as_str(), f.severity)).collect();
        use FindingSeverity::*;
        assert_eq!(
            told,
            [
                ("CVE-1", Critical),
                ("CVE-4", High),
                ("CVE-2", Medium),
                ("CVE-5", Medium),
                ("CVE-3", Low),
                ("CVE-8", Informational),
            ]
        );
        assert_eq!(report.findings[0].description.as_deref(), Some("short"));
        assert_eq!(report.findings[2].description.as_deref(), Some("in libc"));
        assert_eq!(report.findings[2].uri.as_deref(), Some("https://cve/CVE-2"));
        assert_eq!(report.findings[0].attributes, [("scanner", "Trivy".to_owned())]);
        assert_eq!(report.counts()[&Medium], 2);
        let clean = json!({"runs": [{"tool": {"driver": {"name": "x"}}, "results": []}]});
        assert_eq!(read(clean.to_string().as_bytes()).unwrap(), Report::default());
    }

    proptest! {
        #[test]
        fn no_text_panics(text: String) {
            let _ = read(text.as_bytes());
        }
    }
}
