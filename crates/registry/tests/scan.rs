//! Reports of external scanners, as ECR's API tells them.

mod common;

use std::sync::atomic::Ordering;

use common::{Harness, OCI_MANIFEST, START_MS, descriptor};
use serde_json::{Value, json};

const SARIF: &str = "application/sarif+json";
const CYCLONEDX: &str = "application/vnd.cyclonedx+json";

/// Attaches a report to an image, as `oras attach` does; the manifest's digest.
async fn attach(h: &Harness, image: &str, kind: &str, layer_kind: &str, report: &str) -> String {
    let empty = descriptor("application/vnd.oci.empty.v1+json", b"{}");
    h.push_blob("app", b"{}").await;
    h.push_blob("app", report.as_bytes()).await;
    let size = h.send("GET", &format!("/v2/app/manifests/{image}")).await.bytes().await.unwrap().len();
    let manifest = json!({
        "schemaVersion": 2, "mediaType": OCI_MANIFEST, "artifactType": kind, "config": empty,
        "layers": [descriptor(layer_kind, report.as_bytes())],
        "subject": {"mediaType": OCI_MANIFEST, "digest": image, "size": size},
    })
    .to_string();
    let digest = common::sha256(manifest.as_bytes());
    assert_eq!(h.put_manifest("app", &digest, OCI_MANIFEST, &manifest).await.status(), 201);
    digest
}

fn sarif(ids: &[(&str, &str)]) -> String {
    let result = |(id, level): &(&str, &str)| json!({"ruleId": id, "level": level, "message": {"text": "x"}});
    let results: Vec<Value> = ids.iter().map(result).collect();
    json!({"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "t"}}, "results": results}]}).to_string()
}

async fn describe(h: &Harness, more: Value) -> Result<Value, wire::Error> {
    let mut input = json!({"repositoryName": "app", "imageId": {"imageTag": "v1"}});
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    h.call("DescribeImageScanFindings", input).await
}

#[tokio::test]
async fn without_a_report_nothing_was_scanned() {
    let h = Harness::start().await;
    h.create("app").await;
    let digest = h.push_image("app", "v1", b"layer").await;
    let error = describe(&h, json!({})).await.unwrap_err();
    assert_eq!(error.code, "ScanNotFoundException");
    assert!(
        error.message.starts_with(
            "Image scan does not exist for the image with '{imageDigest:'null', imageTag:'v1'}' in the repository \
             with name 'app' in the registry with id '000000000000'"
        ),
        "{error}"
    );
    let start = json!({"repositoryName": "app", "imageId": {"imageTag": "v1"}});
    let started = h.call("StartImageScan", start.clone()).await.unwrap();
    assert_eq!(started["imageScanStatus"]["status"], "FINDINGS_UNAVAILABLE");
    assert!(started["imageScanStatus"]["description"].as_str().unwrap().contains("no scanner"));
    assert_eq!(started["imageId"], json!({"imageDigest": digest, "imageTag": "v1"}));
    let images = h.call("DescribeImages", json!({"repositoryName": "app"})).await.unwrap();
    assert!(images["imageDetails"][0].get("imageScanStatus").is_none());

    let artifact = attach(&h, &digest, SARIF, SARIF, &sarif(&[("CVE-1", "error")])).await;
    let input = json!({"repositoryName": "app", "imageId": {"imageDigest": artifact}});
    assert_eq!(h.call("StartImageScan", input).await.unwrap_err().code, "UnsupportedImageTypeException");
    let started = h.call("StartImageScan", start).await.unwrap();
    assert_eq!(started["imageScanStatus"]["status"], "COMPLETE");
    let none = json!({"repositoryName": "app", "imageId": {"imageTag": "none"}});
    assert_eq!(h.call("StartImageScan", none.clone()).await.unwrap_err().code, "ImageNotFoundException");
    assert_eq!(h.call("DescribeImageScanFindings", none).await.unwrap_err().code, "ImageNotFoundException");
}

#[tokio::test]
async fn the_newest_report_is_told() {
    let h = Harness::start().await;
    h.create("app").await;
    let digest = h.push_image("app", "v1", b"layer").await;
    let many = [("CVE-3", "note"), ("CVE-1", "error"), ("CVE-2", "warning")];
    attach(&h, &digest, SARIF, SARIF, &sarif(&many)).await;
    let found = describe(&h, json!({})).await.unwrap();
    assert_eq!(found["imageScanStatus"]["status"], "COMPLETE");
    assert_eq!(
        found["imageScanFindings"]["findingSeverityCounts"],
        json!({"HIGH": 1, "MEDIUM": 1, "LOW": 1})
    );
    let names = |answer: &Value| -> Vec<String> {
        let findings = answer["imageScanFindings"]["findings"].as_array().unwrap();
        findings.iter().map(|f| f["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&found), ["CVE-1", "CVE-2", "CVE-3"], "the worst first");
    let first = describe(&h, json!({"maxResults": 2})).await.unwrap();
    let token = first["nextToken"].clone();
    let second = describe(&h, json!({"maxResults": 2, "nextToken": token})).await.unwrap();
    assert_eq!((names(&first), names(&second)), (vec!["CVE-1".into(), "CVE-2".into()], vec!["CVE-3".into()]));
    assert!(second.get("nextToken").is_none());
    let images = h.call("DescribeImages", json!({"repositoryName": "app", "imageIds": [{"imageTag": "v1"}]}));
    let image = images.await.unwrap()["imageDetails"][0].clone();
    assert_eq!(
        image["imageScanFindingsSummary"]["findingSeverityCounts"],
        json!({"HIGH": 1, "MEDIUM": 1, "LOW": 1})
    );
    assert_eq!(image["imageScanStatus"]["status"], "COMPLETE");

    // A list of components is no report, however new; one with vulnerabilities is.
    h.now_ms.store(START_MS + 60_000, Ordering::SeqCst);
    attach(&h, &digest, CYCLONEDX, CYCLONEDX, r#"{"bomFormat": "CycloneDX", "components": []}"#).await;
    assert_eq!(names(&describe(&h, json!({})).await.unwrap()).len(), 3);
    h.now_ms.store(START_MS + 120_000, Ordering::SeqCst);
    let bom = json!({"components": [{"bom-ref": "a", "name": "libc", "version": "2"}], "vulnerabilities": [
        {"id": "CVE-9", "ratings": [{"severity": "critical"}], "affects": [{"ref": "a"}]}]});
    let newest = attach(&h, &digest, CYCLONEDX, CYCLONEDX, &bom.to_string()).await;
    let found = describe(&h, json!({})).await.unwrap();
    assert_eq!(found["imageScanFindings"]["findingSeverityCounts"], json!({"CRITICAL": 1}));
    assert_eq!(
        found["imageScanFindings"]["findings"][0]["attributes"],
        json!([{"key": "package_name", "value": "libc"}, {"key": "package_version", "value": "2"}])
    );
    let seconds = (START_MS + 120_000) as f64 / 1000.0;
    assert_eq!(found["imageScanFindings"]["imageScanCompletedAt"].as_f64(), Some(seconds));
    // It goes, and the one before is the newest again; so it is after a restart.
    h.send("DELETE", &format!("/v2/app/manifests/{newest}")).await;
    assert_eq!(names(&describe(&h, json!({})).await.unwrap()).len(), 3);
    let h = h.restart().await;
    assert_eq!(names(&describe(&h, json!({})).await.unwrap()).len(), 3);
}

#[tokio::test]
async fn a_report_that_cannot_be_read_says_why() {
    let h = Harness::start().await;
    h.create("app").await;
    let digest = h.push_image("app", "v1", b"layer").await;
    let mut now_ms = START_MS;
    for (layer_kind, report, why) in [
        (SARIF, "nonsense", "not the JSON"),
        (SARIF, r#"{"runs": 1}"#, "not the JSON"),
        ("text/plain", "{}", "no layer of the media type application/sarif+json"),
    ] {
        now_ms += 1000;
        h.now_ms.store(now_ms, Ordering::SeqCst);
        attach(&h, &digest, SARIF, layer_kind, report).await;
        let found = describe(&h, json!({})).await.unwrap();
        assert_eq!(found["imageScanStatus"]["status"], "FAILED");
        let told = found["imageScanStatus"]["description"].as_str().unwrap();
        assert!(told.contains(why), "{told}");
        assert!(found.get("imageScanFindings").is_none());
    }
}

#[tokio::test]
async fn scanning_configurations_are_kept_and_told_for_each_repository() {
    let h = Harness::start().await;
    let get = async |h: &Harness| h.call("GetRegistryScanningConfiguration", json!({})).await.unwrap();
    assert_eq!(get(&h).await["scanningConfiguration"], json!({"scanType": "BASIC", "rules": []}));
    for name in ["prod/a", "test/b"] {
        h.create(name).await;
    }
    let scan = json!({"repositoryName": "test/b", "imageScanningConfiguration": {"scanOnPush": true}});
    h.call("PutImageScanningConfiguration", scan).await.unwrap();
    let filter = |text: &str| json!({"filter": text, "filterType": "WILDCARD"});
    let rules =
        json!([{"scanFrequency": "CONTINUOUS_SCAN", "repositoryFilters": [filter("prod/*"), filter("x")]}]);
    let error =
        h.call("PutRegistryScanningConfiguration", json!({"scanType": "BASIC", "rules": rules})).await;
    assert_eq!(error.unwrap_err().code, "InvalidParameterException");
    let wanted = json!({"scanType": "ENHANCED", "rules": rules});
    let put = h.call("PutRegistryScanningConfiguration", wanted.clone()).await.unwrap();
    assert_eq!(put["registryScanningConfiguration"], wanted);
    let h = h.restart().await;
    assert_eq!(get(&h).await["scanningConfiguration"], wanted);
    let names = json!({"repositoryNames": ["prod/a", "test/b", "none/c"]});
    let told = h.call("BatchGetRepositoryScanningConfiguration", names).await.unwrap();
    let of = |at: usize| {
        let one = &told["scanningConfigurations"][at];
        (one["scanFrequency"].clone(), one["scanOnPush"].clone(), one["appliedScanFilters"].clone())
    };
    assert_eq!(of(0), (json!("CONTINUOUS_SCAN"), json!(true), json!([filter("prod/*")])));
    assert_eq!(of(1), (json!("SCAN_ON_PUSH"), json!(true), json!([])));
    assert_eq!(told["failures"][0]["failureCode"], "REPOSITORY_NOT_FOUND");
}
