use proptest::prelude::*;

use super::{all_match, matches, none_match, parse};

const LINE: &str = r#"10.0.0.9 - ann [05/Feb/2026:08:15:01 +0100] "GET /a/page.html HTTP/1.1" 404 1534"#;

fn extracted(pattern: &str, message: &str) -> Vec<String> {
    let values = parse(pattern).extract(message).unwrap_or_else(|| panic!("{pattern} on {message}"));
    values.into_iter().map(|(name, value)| format!("{name}={value}")).collect()
}

#[test]
fn words_brackets_and_quotes_are_columns() {
    all_match(
        LINE,
        &[
            "[]",
            "[...]",
            "[ip, user, username, timestamp, request, status_code, bytes]",
            "[ip, user, username, timestamp, request, status_code = 404, bytes > 1000]",
            "[ip, user, username, timestamp, request = *html*, status_code = 4*, bytes]",
            "[ip, user, username, timestamp, request, status_code = 4* && status_code != 403, bytes]",
            "[..., status_code = 404 || status_code = 410, bytes]",
            "[..., request =*.html*, status_code = 4*,]",
            "[ip = %10\\.0\\.0\\.[1-9]%, ..., bytes<=1534]",
            "[ip, user, ...]",
            "[..., bytes]",
            "[..., request = \"GET /a/page.html HTTP/1.1\", status, bytes = 1534.0]",
            "[ip, ..., bytes != 7]",
            "[a, , c = ann, ...]",
        ],
    );
    none_match(
        LINE,
        &[
            "[ip, user, username, timestamp, request, status_code, bytes > 2000]",
            "[..., status_code = 2*, bytes]",
            "[ip, user, username = Ann, ...]",
            "[a, b, c, d, e, f, g, h]",
            "[a, b, c, d, ..., e, f, g, h]",
            "[ip > 5, ...]",
        ],
    );
}

#[test]
fn the_last_column_is_the_rest_of_the_line() {
    let line = "ERROR 2026-02-05 could not [bind] a port";
    all_match(
        line,
        &[
            "[w1=ERROR, w2]",
            "[w1=ERROR || w1=WARNING, w2]",
            "[w1!=INFO && w1!=DEBUG, w2]",
            "[level, date, text=*port]",
            "[level, date, text=%bind%]",
        ],
    );
    none_match(line, &["[w1=ERROR]", "[w1!=ERROR && w1!=WARNING, w2]", "[w1=WARNING, w2]"]);
    none_match("ERROR", &["[w1=ERROR, w2]"]);
    assert!(matches("[w1=ERROR]", "  ERROR  "));
    assert_eq!(
        extracted("[a, b, text]", line),
        ["$a=ERROR", "$b=2026-02-05", "$text=could not [bind] a port",]
    );
}

#[test]
fn extracted_values_have_their_names_or_numbers() {
    assert_eq!(
        extracted("[..., request=*.html*, status_code=4*,]", LINE),
        [
            "$1=10.0.0.9",
            "$2=-",
            "$3=ann",
            "$4=05/Feb/2026:08:15:01 +0100",
            "$7=1534",
            "$request=GET /a/page.html HTTP/1.1",
            "$status_code=404",
        ]
    );
    assert_eq!(extracted("[]", "a \"b c\" [d"), ["$1=a", "$2=b c", "$3=[d"]);
    assert_eq!(extracted("[]", "[a]:b \"\" \t c"), ["$1=a", "$2=:b", "$3=", "$4=c"]);
    assert!(parse("[a=1]").extract("2").is_none());
    assert!(parse("a").extract("a").unwrap().is_empty());
}

proptest! {
    #[test]
    fn plain_words_are_found_at_their_places(
        words in proptest::collection::vec("[a-z0-9/:.]{1,6}", 1..8), at in any::<prop::sample::Index>(),
    ) {
        let line = words.join("  ");
        let at = at.index(words.len());
        let names: Vec<String> = (0..words.len()).map(|n| format!("c{n}")).collect();
        let expected: std::collections::BTreeMap<_, _> =
            words.iter().enumerate().map(|(n, word)| (format!("$c{n}"), word.clone())).collect();
        prop_assert_eq!(parse(&format!("[{}]", names.join(","))).extract(&line), Some(expected));
        let first = format!("[x=\"{}\", ...]", words[0]);
        prop_assert!(matches(&first, &line));
        let commas = ",".repeat(words.len() - 1 - at);
        let from_the_end = format!("[..., x = \"{}\"{commas}]", words[at]);
        prop_assert!(matches(&from_the_end, &line));
    }
}
