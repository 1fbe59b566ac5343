use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::{ServerName, UnixTime};
use time::macros::datetime;

use super::*;

const NOW: OffsetDateTime = datetime!(2026-01-01 0:00 UTC);

fn names() -> Names {
    Names { listen: "10.0.0.5:4580".parse().unwrap(), hostname: "dock".into(), named: vec!["hub.lan".into()] }
}

/// Whether a client that trusts the authority takes the certificate for `name`'s.
fn accepts(authority: &Authority, issued: &Issued, name: &str, at: OffsetDateTime) -> bool {
    let mut roots = RootCertStore::empty();
    roots.add(authority.certificate.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let at = UnixTime::since_unix_epoch(std::time::Duration::from_secs(at.unix_timestamp() as u64));
    verifier.verify_server_cert(&issued.chain[0], &[], &name, &[], at).is_ok()
}

#[test]
fn it_is_made_once_and_its_key_is_its_owners() {
    let temporary = tempfile::tempdir().unwrap();
    let dir = DataDir::new(temporary.path()).unwrap();
    let made = Authority::open(&dir).unwrap();
    let again = Authority::open(&dir).unwrap();
    assert_eq!(made.fingerprint(), again.fingerprint());
    let issued = again.issue(names().of_certificate(&[]), NOW).unwrap();
    assert!(accepts(&made, &issued, "10.0.0.5", NOW));
    let mode = std::fs::metadata(dir.join("authority.pem")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let public = std::fs::read_to_string(dir.join("ca.pem")).unwrap();
    assert!(public.contains("BEGIN CERTIFICATE") && !public.contains("PRIVATE KEY"), "{public}");
    // Lost, it is written again; the authority stays.
    std::fs::remove_file(dir.join("ca.pem")).unwrap();
    Authority::open(&dir).unwrap();
    assert_eq!(std::fs::read_to_string(dir.join("ca.pem")).unwrap(), public);
}

#[test]
fn one_that_cannot_be_read_is_not_replaced() {
    let temporary = tempfile::tempdir().unwrap();
    let dir = DataDir::new(temporary.path()).unwrap();
    std::fs::write(dir.join("authority.pem"), "torn").unwrap();
    assert!(Authority::open(&dir).is_err());
    assert_eq!(std::fs::read_to_string(dir.join("authority.pem")).unwrap(), "torn");
}

#[test]
fn a_certificate_is_good_for_its_names_and_its_time() {
    let authority = Authority::make().unwrap();
    let issued = authority.issue(names().of_certificate(&[]), NOW).unwrap();
    for name in ["10.0.0.5", "127.0.0.1", "localhost", "dock", "hub.lan"] {
        assert!(accepts(&authority, &issued, name, NOW), "{name}");
    }
    for name in ["10.0.0.6", "other", "x.hub.lan"] {
        assert!(!accepts(&authority, &issued, name, NOW), "{name}");
    }
    assert!(accepts(&authority, &issued, "dock", NOW - Duration::hours(1)), "clocks differ");
    assert!(!accepts(&authority, &issued, "dock", NOW + LIFETIME + Duration::hours(1)));
    assert!(!accepts(&Authority::make().unwrap(), &issued, "dock", NOW), "another authority");
}

#[test]
fn a_certificate_is_issued_again_before_it_ends_and_for_new_addresses() {
    let certificates = OwnCertificates::new(Authority::make().unwrap(), names());
    let local: IpAddr = "10.0.0.5".parse().unwrap();
    let first = certificates.at(local, NOW).unwrap();
    let same = |a: &Arc<_>, b: &Arc<_>| Arc::ptr_eq(a, b);
    assert!(same(&first, &certificates.at(local, NOW + Duration::days(50)).unwrap()));
    let renewed = certificates.at(local, NOW + Duration::days(61)).unwrap();
    assert!(!same(&first, &renewed));
    // A clock that was wrong and is set.
    let back = certificates.at(local, NOW).unwrap();
    assert!(!same(&back, &renewed));
    let other: IpAddr = "192.0.2.7".parse().unwrap();
    let wider = certificates.at(other, NOW).unwrap();
    assert!(wider.names.contains("192.0.2.7") && wider.names.contains("10.0.0.5"));
}
