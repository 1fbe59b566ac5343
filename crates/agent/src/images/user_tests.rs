use super::*;

const PASSWD: &str =
    "root:x:0:0:root:/root:/bin/sh\nweb:x:101:102::/srv:/bin/false\n1000:x:7:8::/seven:\nbad line\nx:y:z\n";
const GROUP: &str = "root:x:0:\nadm:x:4:root,web\nweb:x:102:\nwww:x:33:web\nwww2:x:33:web\n";

fn resolved(spec: &str) -> (u32, u32, Vec<u32>, String) {
    let user = resolve(PASSWD, GROUP, spec).unwrap();
    (user.uid, user.gid, user.additional_gids, user.home)
}

#[test]
fn users_and_groups_by_name_and_number() {
    assert_eq!(resolved(""), (0, 0, vec![4], "/root".into()));
    assert_eq!(resolved("web"), (101, 102, vec![4, 33], "/srv".into()));
    assert_eq!(resolved("101"), (101, 102, vec![4, 33], "/srv".into()));
    assert_eq!(resolved("web:adm"), (101, 4, vec![], "/srv".into()));
    assert_eq!(resolved("web:77"), (101, 77, vec![], "/srv".into()));
    assert_eq!(resolved("55"), (55, 0, vec![], "/".into()));
    assert_eq!(resolved("55:66"), (55, 66, vec![], "/".into()));
    assert_eq!(resolved(":adm"), (0, 4, vec![], "/root".into()));
    assert_eq!(resolved("web:"), (101, 102, vec![4, 33], "/srv".into()));
}

#[test]
fn a_name_comes_before_a_number() {
    assert_eq!(resolved("1000"), (7, 8, vec![], "/seven".into()));
}

#[test]
fn what_is_refused_and_how() {
    let error = |spec| resolve(PASSWD, GROUP, spec).unwrap_err().to_string();
    assert_eq!(error("nobody"), "unable to find user nobody: no matching entries in passwd file");
    assert_eq!(error("web:nogroup"), "unable to find group nogroup: no matching entries in group file");
    assert_eq!(error("4294967295"), "the id 4294967295 is out of range");
    assert_eq!(error("0:99999999999"), "the id 99999999999 is out of range");
    assert!(resolve("", "", "-1").is_err());
}

#[test]
fn a_linked_passwd_does_not_escape_and_a_fifo_does_not_block() {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("passwd"), "evil:x:0:0::/:\n").unwrap();
    let image = tempfile::tempdir().unwrap();
    let etc = image.path().join("etc");
    fs::create_dir(&etc).unwrap();
    std::os::unix::fs::symlink(outside.path().join("passwd"), etc.join("passwd")).unwrap();
    assert!(matches!(resolve_user(image.path(), "evil"), Err(UserError::NoUser(_))));

    fs::remove_file(etc.join("passwd")).unwrap();
    std::os::unix::fs::symlink("../../../../usr/lib/passwd", etc.join("passwd")).unwrap();
    fs::create_dir_all(image.path().join("usr/lib")).unwrap();
    fs::write(image.path().join("usr/lib/passwd"), "inside:x:5:6::/in:\n").unwrap();
    assert_eq!(resolve_user(image.path(), "inside").unwrap().uid, 5);

    fs::remove_file(etc.join("passwd")).unwrap();
    nix::unistd::mkfifo(&etc.join("passwd"), Mode::S_IRWXU).unwrap();
    assert_eq!(resolve_user(image.path(), "9").unwrap().uid, 9);
}

proptest::proptest! {
    #[test]
    fn no_file_and_no_spec_makes_it_panic(passwd in ".{0,200}", group in ".{0,200}", spec in ".{0,30}") {
        let _ = resolve(&passwd, &group, &spec);
    }
}
