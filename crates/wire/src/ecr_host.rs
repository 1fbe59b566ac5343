//! Host names of ECR's registries, and the wildcards that ECR matches tags by.

/// The account and region of an ECR registry's host name (`<account>.dkr.ecr.<region>.amazonaws.com`,
/// with `.cn` for China's regions; also the dual-stack form `<account>.dkr-ecr.<region>.on.aws`).
pub fn account_and_region(host: &str) -> Option<(&str, &str)> {
    let parts: Vec<&str> = host.split('.').collect();
    let (account, region) = match parts.as_slice() {
        [account, "dkr", "ecr", region, "amazonaws", "com"]
        | [account, "dkr", "ecr", region, "amazonaws", "com", "cn"]
        | [account, "dkr-ecr", region, "on", "aws"] => (*account, *region),
        _ => return None,
    };
    let is_account = account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
    is_account.then_some((account, region))
}

/// Whether `text` is as the pattern says, in which `*` stands for any run of characters.
pub fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else {
        return rest.is_empty();
    };
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards() {
        for (pattern, text, yes) in [
            ("*", "", true),
            ("", "", true),
            ("", "latest", false),
            ("latest", "latest", true),
            ("latest", "latest2", false),
            ("dev-*", "dev-1", true),
            ("dev-*", "dev", false),
            ("*-rc*", "1.0-rc2", true),
            ("a*b*c", "abc", true),
            ("a*bc*c", "abc", false),
            ("a*a", "a", false),
        ] {
            assert_eq!(matches(pattern, text), yes, "{pattern} {text}");
        }
    }

    #[test]
    fn hosts() {
        let of = account_and_region;
        assert_eq!(of("000000000000.dkr.ecr.us-east-1.amazonaws.com"), Some(("000000000000", "us-east-1")));
        assert_eq!(of("000000000000.dkr-ecr.eu-west-1.on.aws"), Some(("000000000000", "eu-west-1")));
        assert_eq!(of("00000000000x.dkr.ecr.us-east-1.amazonaws.com"), None);
        assert_eq!(of("docker.io"), None);
    }
}
