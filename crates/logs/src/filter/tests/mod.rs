use proptest::prelude::*;

use super::Pattern;

mod columns;
mod json;
mod terms;

fn parse(pattern: &str) -> Pattern {
    Pattern::parse(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"))
}

fn matches(pattern: &str, message: &str) -> bool {
    parse(pattern).matches(message)
}

fn all_match(message: &str, patterns: &[&str]) {
    patterns.iter().for_each(|pattern| assert!(matches(pattern, message), "{pattern} on {message}"));
}

fn none_match(message: &str, patterns: &[&str]) {
    patterns.iter().for_each(|pattern| assert!(!matches(pattern, message), "{pattern} on {message}"));
}

#[test]
fn what_cannot_be_understood_is_refused() {
    let patterns = [
        "a - b",
        "\"\"",
        "\"open",
        "user@example",
        "?Status: timeout",
        "(a)",
        "%open",
        "%a(b)%",
        "%wow!%",
        "%é%",
        "%[a%",
        "%%",
        r"%\bword%",
        r"%\x8%",
        "%a{x}%",
        "%a{999}{999}{999}%",
        "{ $.a = 1",
        "{}",
        "{ $ = 1 }",
        "{ $.a }",
        "{ $.a == 1 }",
        "{ $.a EXISTS }",
        "{ $.a IS NOT NULL }",
        "{ $.a IS 1 }",
        "{ !($.a = 1) }",
        "{ $.a > 0 AND $.a < 2 }",
        "{ $.a = 1 && }",
        "{ ($.a = 1 }",
        "{ $.a > \"x\" }",
        "{ $.a <= 4* }",
        "{ $.a < %4% }",
        "{ $.a = user@host }",
        "{ $.\"a-b\" = 1 }",
        "{ $..a = 1 }",
        "{ $.a[-1] = 1 }",
        "{ $.a[0:2] = 1 }",
        "{ $.['a = 1 }",
        "{ $.a[*].* = 1 }",
        "{ $.a[*] = 1 || $.b[*] = 1 || $.c[*] = 1 || $.* = 1 }",
        "{ $.a = %a% || $.a = %b% || $.a = %c% }",
        "[a, b",
        "[a b]",
        "[a, ..., b, ...]",
        "[word, word]",
        "[a = 1 || b = 2]",
        "[a || a = 2]",
        "[\"x\"]",
        "[a > x]",
        "[a = (1)]",
    ];
    let errors = patterns.map(|pattern| match Pattern::parse(pattern) {
        Ok(parsed) => panic!("{pattern} was understood: {parsed:?}"),
        Err(error) => {
            let error = error.to_string();
            let said = error.strip_prefix("Invalid filter pattern: ");
            format!("{pattern:<20} {}", said.unwrap_or_else(|| panic!("{error}")))
        }
    });
    insta::assert_snapshot!(errors.join("\n"));
    let deep = format!("{{ {}$.a = 1{} }}", "(".repeat(500), ")".repeat(500));
    assert_eq!(Pattern::parse(&deep).unwrap_err(), super::BadPattern::TooDeep);
}

/// Texts that are often nearly patterns.
fn near_pattern() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        proptest::sample::select(vec![
            "{", "}", "[", "]", "(", ")", "$", ".", "a", "*", "=", "!=", "<", ">=", "1", "-1e3", "\"", "%",
            "...", ",", "&&", "||", " ", "IS", "NULL", "NOT", "EXISTS", "?", "-", "\\", "'",
        ])
        .prop_map(str::to_owned),
        any::<char>().prop_map(String::from),
    ];
    proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_text_is_parsed_or_refused(
        pattern in near_pattern(), open in "[{\\[]?", close in "[}\\]]?", message in "\\PC{0,40}",
    ) {
        if let Ok(pattern) = Pattern::parse(&format!("{open}{pattern}{close}")) {
            let matched = pattern.matches(&message);
            prop_assert_eq!(pattern.extract(&message).is_some(), matched);
        }
    }
}
