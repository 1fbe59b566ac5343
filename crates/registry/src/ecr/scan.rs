//! `StartImageScan` and `DescribeImageScanFindings`. Longshore has no scanner: an external one's report, attached to
//! the image, is what is told (`crate::scan`).

use wire::{
    Context, Error, Timestamp,
    ecr::{
        Attribute, DescribeImageScanFindingsRequest, DescribeImageScanFindingsResponse, ImageIdentifier,
        ImageScanFinding, ImageScanFindings, ImageScanFindingsSummary, ImageScanStatus, ScanStatus,
        StartImageScanRequest, StartImageScanResponse,
    },
    page,
};

use super::{
    error::{image_archived, internal, unsupported_image},
    image::resolve,
    repository::find,
};
use crate::{
    Shared,
    digest::Digest,
    push::is_image,
    scan::{self, Attached, Finding},
    state::index::Repository,
};

/// When the request names no `maxResults` (API reference).
const DEFAULT_PAGE: i32 = 100;
const OPERATION: &str = "DescribeImageScanFindings";
const NO_SCANNER: &str = "Longshore has no scanner of its own. Attach a report to the image as an artifact of the \
    type application/sarif+json or application/vnd.cyclonedx+json.";

/// Starts nothing, and says so; where a report is there, that it is.
pub(super) async fn start(
    shared: &Shared,
    context: &Context,
    input: StartImageScanRequest,
) -> Result<StartImageScanResponse, Error> {
    let (key, repository) = find(shared, context, input.registry_id.as_deref(), &input.repository_name)?;
    let (digest, manifest) = resolve(&key, &repository, &input.image_id)?;
    if !is_image(manifest) {
        return Err(unsupported_image(&key, &input.image_id));
    }
    if manifest.is_archived() {
        return Err(image_archived(&key, digest));
    }
    let newest = newest(shared, &repository, digest).await?;
    let status = newest.as_ref().map(status).unwrap_or_else(|| ImageScanStatus {
        status: Some(ScanStatus::FindingsUnavailable),
        description: Some(NO_SCANNER.to_owned()),
    });
    Ok(StartImageScanResponse {
        registry_id: Some(context.account.clone()),
        repository_name: Some(input.repository_name),
        image_id: Some(named(digest, input.image_id)),
        image_scan_status: Some(status),
    })
}

pub(super) async fn describe(
    shared: &Shared,
    context: &Context,
    input: DescribeImageScanFindingsRequest,
) -> Result<DescribeImageScanFindingsResponse, Error> {
    let (key, repository) = find(shared, context, input.registry_id.as_deref(), &input.repository_name)?;
    let (digest, _) = resolve(&key, &repository, &input.image_id)?;
    let Some(attached) = newest(shared, &repository, digest).await? else {
        let (digest, tag) = (input.image_id.image_digest, input.image_id.image_tag);
        let message = format!(
            "Image scan does not exist for the image with '{{imageDigest:'{}', imageTag:'{}'}}' in the repository \
             with name '{}' in the registry with id '{}'. {NO_SCANNER}",
            digest.as_deref().unwrap_or("null"),
            tag.as_deref().unwrap_or("null"),
            key.name,
            key.scope.account,
        );
        return Err(Error::new("ScanNotFoundException", message));
    };
    let mut answer = DescribeImageScanFindingsResponse {
        registry_id: Some(context.account.clone()),
        repository_name: Some(input.repository_name),
        image_id: Some(named(digest, input.image_id)),
        image_scan_status: Some(status(&attached)),
        ..Default::default()
    };
    let Attached { at_ms, report: Ok(report) } = attached else { return Ok(answer) };
    // A new report begins anew: its pages are others.
    let newest = at_ms.to_string();
    let filters =
        [key.scope.account.as_str(), key.scope.region.as_str(), key.name.as_str(), digest.as_str(), &newest];
    let begin = match &input.next_token {
        Some(token) => page::decode(OPERATION, &filters, token)?.parse::<usize>().unwrap_or(usize::MAX),
        None => 0,
    };
    let limit = usize::try_from(input.max_results.unwrap_or(DEFAULT_PAGE)).unwrap_or(1);
    let rest = report.findings.iter().enumerate().skip(begin);
    let token = |at: &str| page::encode(OPERATION, &filters, at);
    let (found, next_token) = page::page(rest, limit, |(at, _)| (at + 1).to_string(), token);
    answer.next_token = next_token;
    answer.image_scan_findings = Some(ImageScanFindings {
        image_scan_completed_at: Some(Timestamp::from_ms(at_ms)),
        finding_severity_counts: Some(report.counts()),
        findings: Some(found.into_iter().map(|(_, finding)| told(finding)).collect()),
        ..Default::default()
    });
    Ok(answer)
}

/// What DescribeImages tells of the newest report on an image.
pub(super) async fn summary(
    shared: &Shared,
    repository: &Repository,
    digest: &Digest,
) -> Result<(Option<ImageScanStatus>, Option<ImageScanFindingsSummary>), Error> {
    let newest = newest(shared, repository, digest).await?;
    let summary = newest.as_ref().and_then(|attached| {
        let report = attached.report.as_ref().ok()?;
        Some(ImageScanFindingsSummary {
            image_scan_completed_at: Some(Timestamp::from_ms(attached.at_ms)),
            finding_severity_counts: Some(report.counts()),
            ..Default::default()
        })
    });
    Ok((newest.as_ref().map(status), summary))
}

async fn newest(
    shared: &Shared,
    repository: &Repository,
    digest: &Digest,
) -> Result<Option<Attached>, Error> {
    scan::newest(shared, repository, digest).await.map_err(|error| internal(&error))
}

fn status(attached: &Attached) -> ImageScanStatus {
    let (status, description) = match &attached.report {
        Ok(_) => {
            let said = "As the newest report says that was attached to the image.";
            (ScanStatus::Complete, said.to_owned())
        }
        Err(why) => {
            (ScanStatus::Failed, format!("The newest report that was attached can't be read: {why}."))
        }
    };
    ImageScanStatus { status: Some(status), description: Some(description) }
}

fn named(digest: &Digest, asked: ImageIdentifier) -> ImageIdentifier {
    ImageIdentifier { image_digest: Some(digest.to_string()), image_tag: asked.image_tag }
}

fn told(finding: &Finding) -> ImageScanFinding {
    let attribute =
        |(key, value): &(&str, String)| Attribute { key: (*key).to_owned(), value: Some(value.clone()) };
    ImageScanFinding {
        name: Some(finding.name.clone()),
        severity: Some(finding.severity),
        description: finding.description.clone(),
        uri: finding.uri.clone(),
        attributes: Some(finding.attributes.iter().map(attribute).collect()),
    }
}
