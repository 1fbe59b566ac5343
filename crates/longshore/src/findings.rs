//! `longshore registry findings`: what the newest report on an image says.

use std::process::ExitCode;

use anyhow::{Context, Result};
use wire::ecr::{
    DescribeImageScanFindingsRequest, FindingSeverity, ImageIdentifier, ImageScanFinding, ImageScanStatus,
    ops,
};

use crate::cli::{FindingsArgs, Severity};
use crate::site::Site;
use crate::talk::table;

const HEAD: [&str; 4] = ["SEVERITY", "FINDING", "PACKAGE", "DESCRIPTION"];
/// A description is a paragraph at times; the table shows how it begins.
const SHOWN: usize = 80;

pub async fn findings(site: &Site, args: &FindingsArgs) -> Result<ExitCode> {
    let client = site.client()?;
    let (repository_name, image_id) = image(&args.image);
    let mut request = DescribeImageScanFindingsRequest { repository_name, image_id, ..Default::default() };
    let mut findings = Vec::new();
    let mut status = ImageScanStatus::default();
    loop {
        let page = client.call::<ops::DescribeImageScanFindings>(&request).await?;
        status = page.image_scan_status.unwrap_or(status);
        findings.extend(page.image_scan_findings.and_then(|found| found.findings).unwrap_or_default());
        request.next_token = page.next_token;
        if request.next_token.is_none() {
            break;
        }
    }
    findings.retain(|finding| severity(finding) >= args.severity);
    if args.json {
        let text = serde_json::to_string_pretty(&findings).context("write the findings as JSON")?;
        println!("{text}");
    } else if findings.is_empty() {
        eprintln!("nothing found: {}", status.description.unwrap_or_default());
    } else {
        println!("{}", table(&HEAD, findings.iter().map(row)));
    }
    Ok(ExitCode::SUCCESS)
}

/// `[host:port/]repository[:tag][@digest]`. What has a dot or a port before its first slash is a host, as docker has it.
fn image(text: &str) -> (String, ImageIdentifier) {
    let (name, image_digest) = match text.split_once('@') {
        Some((name, digest)) => (name, Some(digest.to_owned())),
        None => (text, None),
    };
    let name = match name.split_once('/') {
        Some((host, rest)) if host == "localhost" || host.contains([':', '.']) => rest,
        _ => name,
    };
    let (name, tag) = match name.split_once(':') {
        Some((name, tag)) => (name, Some(tag.to_owned())),
        None => (name, None),
    };
    let image_tag = tag.or_else(|| image_digest.is_none().then(|| "latest".to_owned()));
    (name.to_owned(), ImageIdentifier { image_digest, image_tag })
}

fn severity(finding: &ImageScanFinding) -> Severity {
    match finding.severity {
        Some(FindingSeverity::Critical) => Severity::Critical,
        Some(FindingSeverity::High) => Severity::High,
        Some(FindingSeverity::Medium) => Severity::Medium,
        Some(FindingSeverity::Low) => Severity::Low,
        Some(FindingSeverity::Informational) => Severity::Informational,
        Some(FindingSeverity::Undefined) | None => Severity::Undefined,
    }
}

fn row(finding: &ImageScanFinding) -> Vec<String> {
    let attribute = |key: &str| {
        let named = finding.attributes.iter().flatten().find(|attribute| attribute.key == key);
        named.and_then(|attribute| attribute.value.clone())
    };
    let package: Vec<String> =
        ["package_name", "package_version"].iter().filter_map(|key| attribute(key)).collect();
    vec![
        finding.severity.map(|severity| severity.to_string()).unwrap_or_default(),
        finding.name.clone().unwrap_or_default(),
        package.join(" "),
        begin(finding.description.as_deref().unwrap_or_default()),
    ]
}

/// One line, of a readable length. What a report says is a stranger's text: no control character reaches the terminal.
fn begin(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let words = line.split_whitespace().collect::<Vec<_>>().join(" ");
    match words.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &words[..end]),
        None => words,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::ecr::Attribute;

    #[test]
    fn images() {
        let read = |text: &str| {
            let (name, id) = image(text);
            (name, id.image_tag.unwrap_or_default(), id.image_digest.unwrap_or_default())
        };
        let is = |name: &str, tag: &str, digest: &str| (name.to_owned(), tag.to_owned(), digest.to_owned());
        assert_eq!(read("app"), is("app", "latest", ""));
        assert_eq!(read("team/app:v1"), is("team/app", "v1", ""));
        assert_eq!(read("127.0.0.1:4580/team/app:v1"), is("team/app", "v1", ""));
        assert_eq!(read("app@sha256:00"), is("app", "", "sha256:00"));
        assert_eq!(read("localhost/app:v1@sha256:00"), is("app", "v1", "sha256:00"));
    }

    #[test]
    fn rows() {
        let attribute =
            |key: &str, value: &str| Attribute { key: key.to_owned(), value: Some(value.to_owned()) };
        let one = ImageScanFinding {
            name: Some("CVE-2026-1".to_owned()),
            severity: Some(FindingSeverity::Critical),
            description: Some(format!("overflow\n\u{1b}[31m in {}", "the parser ".repeat(20))),
            attributes: Some(vec![attribute("package_name", "zlib"), attribute("package_version", "1.2")]),
            ..Default::default()
        };
        insta::assert_snapshot!(table(&HEAD, [row(&one), row(&ImageScanFinding::default())]), @r"
        SEVERITY  FINDING     PACKAGE   DESCRIPTION
        CRITICAL  CVE-2026-1  zlib 1.2  overflow [31m in the parser the parser the parser the parser the parser the pars…
        ");
        assert_eq!(
            (severity(&one), severity(&ImageScanFinding::default())),
            (Severity::Critical, Severity::Undefined)
        );
    }
}
