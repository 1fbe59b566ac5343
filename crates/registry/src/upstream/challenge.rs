//! A registry's challenge (RFC 9110, 11.6.1): what it wants to be told. Pure.

/// The first challenge of a `WWW-Authenticate` header.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Challenge {
    pub scheme: String,
    parameters: Vec<(String, String)>,
}

impl Challenge {
    pub fn parse(header: &str) -> Option<Self> {
        let header = header.trim();
        let (scheme, mut rest) = header.split_once(' ').unwrap_or((header, ""));
        let mut parameters = Vec::new();
        while let Some((name, after)) = rest.trim_start_matches([' ', ',']).split_once('=') {
            if name.contains(' ') {
                // The next challenge begins.
                break;
            }
            let value: String;
            (value, rest) = match after.strip_prefix('"') {
                Some(quoted) => quoted_text(quoted)?,
                None => {
                    let (value, rest) = after.split_once(',').unwrap_or((after, ""));
                    (value.trim().to_owned(), rest)
                }
            };
            parameters.push((name.to_ascii_lowercase(), value));
        }
        (!scheme.is_empty()).then(|| Self { scheme: scheme.to_owned(), parameters })
    }

    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(have, _)| have == name).map(|(_, value)| value.as_str())
    }
}

/// What stands before the closing quote, and what after it.
fn quoted_text(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    loop {
        match chars.next()? {
            (at, '"') => return Some((value, &text[at + 1..])),
            (_, '\\') => value.push(chars.next()?.1),
            (_, other) => value.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_registries_send() {
        let hub = r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push""#;
        let challenge = Challenge::parse(hub).unwrap();
        assert_eq!(challenge.scheme, "Bearer");
        assert_eq!(challenge.parameter("realm"), Some("https://auth.docker.io/token"));
        assert_eq!(challenge.parameter("scope"), Some("repository:a/b:pull,push"));
        let ecr = Challenge::parse(r#"Basic realm="x \"y\"", Service=ecr.amazonaws.com"#).unwrap();
        assert_eq!(
            (ecr.parameter("realm"), ecr.parameter("service")),
            (Some(r#"x "y""#), Some("ecr.amazonaws.com"))
        );
        assert_eq!(Challenge::parse("Negotiate").unwrap().scheme, "Negotiate");
        assert_eq!(Challenge::parse(r#"Bearer realm="open"#), None);
    }

    proptest::proptest! {
        #[test]
        fn no_header_makes_it_panic(text in ".{0,120}") {
            let _ = Challenge::parse(&text);
        }
    }
}
