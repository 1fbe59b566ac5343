//! What a layer may bring along. Pure.

/// Whether an extended attribute of a layer is kept.
///
/// `trusted.*` is refused because overlayfs takes orders by it (`trusted.overlay.redirect` would point a
/// directory elsewhere); `security.*` other than file capabilities are this machine's labels, not the
/// image's. ACLs come as `SCHILY.acl.*` in other forms and are rare enough to leave out.
pub(super) fn keeps_xattr(name: &[u8]) -> bool {
    name == b"security.capability" || (name.starts_with(b"user.") && !name.starts_with(b"user.overlay."))
}

/// The name of the attribute that a PAX record carries (`SCHILY.xattr.NAME`, as GNU tar, star and every
/// image builder write it).
pub(super) fn xattr_of_record(key: &[u8]) -> Option<&[u8]> {
    key.strip_prefix(b"SCHILY.xattr.")
        .filter(|name| !name.is_empty() && name.len() <= 255 && !name.contains(&0))
}

/// A PAX `mtime` (`seconds[.fraction]`, may be negative) as seconds and nanoseconds.
pub(super) fn pax_time(value: &[u8]) -> Option<(i64, i64)> {
    let text = std::str::from_utf8(value).ok()?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let seconds: i64 = whole.parse().ok()?;
    if !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let digits: String = fraction.chars().chain("000000000".chars()).take(9).collect();
    let nanoseconds: i64 = digits.parse().ok()?;
    // A negative time counts its fraction downwards; the kernel wants it upwards.
    match (whole.starts_with('-'), nanoseconds) {
        (true, 1..) => Some((seconds.checked_sub(1)?, 1_000_000_000 - nanoseconds)),
        _ => Some((seconds, nanoseconds)),
    }
}
