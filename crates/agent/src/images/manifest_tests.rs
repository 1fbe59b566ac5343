use super::*;

fn descriptor(os: &str, architecture: &str, variant: Option<&str>, fill: char) -> Descriptor {
    Descriptor {
        media_type: String::new(),
        digest: format!("sha256:{}", fill.to_string().repeat(64)).parse().unwrap(),
        size: 1,
        platform: Some(DescriptorPlatform {
            os: os.into(),
            architecture: architecture.into(),
            variant: variant.map(str::to_owned),
        }),
    }
}

#[test]
fn the_plain_entry_is_preferred_and_higher_levels_are_passed_over() {
    let index = [
        descriptor("unknown", "unknown", None, '0'),
        descriptor("linux", "amd64", Some("v3"), '1'),
        descriptor("linux", "amd64", None, '2'),
        descriptor("linux", "arm64", Some("v8"), '3'),
        descriptor("windows", "amd64", None, '4'),
    ];
    assert_eq!(choose(&index, &Platform::linux("amd64")).unwrap().digest, index[2].digest);
    assert_eq!(choose(&index, &Platform::linux("arm64")).unwrap().digest, index[3].digest);
    assert_eq!(choose(&index, &Platform::linux("s390x")), None);
    assert_eq!(choose(&index[1..2], &Platform::linux("amd64")), None);
}

#[test]
fn documents_are_told_apart_by_their_fields() {
    let digest = format!("sha256:{}", "a".repeat(64));
    let d = format!(r#"{{"digest":"{digest}","size":3,"mediaType":"x"}}"#);
    let image = format!(r#"{{"schemaVersion":2,"config":{d},"layers":[{d}]}}"#);
    assert!(matches!(Document::parse(image.as_bytes()), Ok(Document::Image { .. })));
    let index = format!(r#"{{"schemaVersion":2,"manifests":[{d}]}}"#);
    assert!(matches!(Document::parse(index.as_bytes()), Ok(Document::Index(_))));
    let both = format!(r#"{{"schemaVersion":2,"manifests":[{d}],"config":{d},"layers":[]}}"#);
    assert!(Document::parse(both.as_bytes()).is_err());
    assert!(
        Document::parse(br#"{"schemaVersion":1,"fsLayers":[]}"#).unwrap_err().contains("no longer supported")
    );
    assert!(Document::parse(b"<html>").is_err());
    let bad_digest = r#"{"schemaVersion":2,"manifests":[{"digest":"sha256:../../x","size":1}]}"#;
    assert!(Document::parse(bad_digest.as_bytes()).is_err());
}

#[test]
fn a_configuration_with_nulls_and_unknown_fields() {
    let json = format!(
        r#"{{"os":"linux","architecture":"amd64","created":null,
            "config":{{"Env":null,"Cmd":["a","b"],"ExposedPorts":{{"80/tcp":{{}}}},"Volumes":null,"StopSignal":"",
            "Healthcheck":{{}},"WorkingDir":"/w","User":"7:8"}},"rootfs":{{"type":"layers","diff_ids":["sha256:{}"]}}}}"#,
        "b".repeat(64)
    );
    let parsed = ConfigDocument::parse(json.as_bytes()).unwrap();
    assert_eq!(parsed.config.cmd, ["a", "b"]);
    assert_eq!(parsed.config.exposed_ports, ["80/tcp"]);
    assert_eq!(parsed.config.stop_signal, None);
    assert_eq!(parsed.config.user, "7:8");
    assert_eq!(parsed.diff_ids.len(), 1);
    let bare = ConfigDocument::parse(br#"{"config":null,"rootfs":{"diff_ids":null}}"#).unwrap();
    assert_eq!(bare.config, ImageConfig::default());
    assert!(ConfigDocument::parse(b"{}").is_err());
}
