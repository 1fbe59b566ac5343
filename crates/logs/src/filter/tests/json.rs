use proptest::prelude::*;
use serde_json::json;

use super::{all_match, matches, none_match};

fn message() -> String {
    json!({
        "event": "TaskStopped",
        "address": "10.1.2.3",
        "codes": ["a1", "b22"],
        "list": [{"name": "x", "id": 1}, {"name": "y", "id": 2}],
        "nothing": null,
        "flag": true,
        "off": false,
        "cluster.name": "dotted",
        "status": 404,
        "latency": 0.25,
        "count-of_things": -3,
        "matrix": [[0, 1], [2, 3]],
        "account": "123456789012",
    })
    .to_string()
}

#[test]
fn each_operator() {
    all_match(
        &message(),
        &[
            r#"{ $.event = "TaskStopped" }"#,
            "{$.event=TaskStopped}",
            "{ $.event = Task* }",
            r#"{ $.event = "*Stopped" }"#,
            "{ $.event = *Sto* }",
            "{ $.event = * }",
            "{ $.event != Started }",
            "{ $.address != 123.123.* }",
            "{ $.event = %^Task[SR]% }",
            "{ $.event != %Pending% }",
            "{ $.codes[0] = a1 }",
            "{ $.codes[*] = %b[0-9]{2}% }",
            "{ $.* = %10\\.1\\.% }",
            "{ $.list[1].id = 2 }",
            "{ $.list[*].id = 2 }",
            "{ $.list[*].name != x }",
            "{ $.matrix[1][0] = 2 }",
            "{ $.['cluster.name'] = \"dotted\" }",
            "{ $['cluster.name'] = dotted }",
            "{ $.nothing IS NULL }",
            "{ $.flag IS TRUE }",
            "{ $.off IS FALSE }",
            "{ $.missing NOT EXISTS }",
            "{ $.list[2] NOT EXISTS }",
            "{ $.status = 404 }",
            "{ $.status = 4.04e+2 }",
            "{ $.status = 4* }",
            "{ $.status >= 404 }",
            "{ $.status > +403 }",
            "{ $.latency < 3e-1 }",
            "{ $.latency <= .25 }",
            "{ $.count-of_things = -3 }",
            "{ $.account = 123456789012 }",
        ],
    );
    none_match(
        &message(),
        &[
            "{ $.event = taskstopped }",
            "{ $.event = Task }",
            // Inside a text an asterisk is an asterisk.
            "{ $.event = Ta*ped }",
            "{ $.status != 404 }",
            "{ $.status > 404 }",
            "{ $.status < 404 }",
            "{ $.latency > 1 }",
            "{ $.flag IS FALSE }",
            "{ $.event IS NULL }",
            "{ $.missing IS NULL }",
            "{ $.nothing NOT EXISTS }",
            "{ $.list[5].id = 2 }",
            "{ $.event[0] = T }",
            "{ $.cluster.name = dotted }",
            // A field that is no value, or isn't there, is neither equal nor unequal.
            "{ $.codes = a1 }",
            "{ $.codes != a1 }",
            "{ $.missing != x }",
            "{ $.nothing != x }",
            "{ $.event > 1 }",
        ],
    );
}

#[test]
fn parentheses_bind_before_and_before_or() {
    all_match(
        &message(),
        &[
            "{ ($.status = 404) && ($.list[0].name = x) }",
            "{ $.status = 404 || $.matrix[0][1] = nope && $.codes[1] = nope }",
            "{ $.flag IS FALSE||$.off IS FALSE }",
            "{ (($.a = 1 || ($.status = 404))) }",
        ],
    );
    none_match(
        &message(),
        &[
            "{ ($.status = 404 || $.matrix[0][1] = nope) && $.codes[1] = nope }",
            "{ ($.status = 1 && $.list[0].name = x) || $.codes[1] = a1 }",
        ],
    );
}

#[test]
fn what_is_no_json_does_not_match() {
    for message in ["", "plain", "{\"a\": 1", "{\"a\": 1} trailing", "1", "[1]"] {
        assert!(!matches("{ $.a = 1 || $.a NOT EXISTS && $.b = 1 }", message), "{message}");
    }
    assert!(matches("{ $.a = 1 }", "  {\"a\": 1}\n"));
    assert!(matches("{ $[0] = 1 }", "[1]"));
}

proptest! {
    /// Against the same question asked of the numbers themselves.
    #[test]
    fn numbers_compare_as_numbers(field in -1_000_000..1_000_000i32, with in -1_000_000..1_000_000i32, same: bool) {
        let (field, with) = (f64::from(field) / 1e3, f64::from(if same { field } else { with }) / 1e3);
        let message = json!({"n": field}).to_string();
        let holds = |operator: &str| matches(&format!("{{ $.n {operator} {with:e} }}"), &message);
        prop_assert_eq!(holds("="), field == with);
        prop_assert_eq!(holds("!="), field != with);
        prop_assert_eq!(holds("<"), field < with);
        prop_assert_eq!(holds("<="), field <= with);
        prop_assert_eq!(holds(">"), field > with);
        prop_assert_eq!(holds(">="), field >= with);
    }

    /// Truth tables: three conditions, each true or false, joined at random.
    #[test]
    fn conditions_join_like_rusts(a: bool, b: bool, c: bool, first: bool, second: bool, left: bool) {
        let message = json!({"a": a, "b": b, "c": c}).to_string();
        let join = |and: bool| if and { "&&" } else { "||" };
        let (x, y) = (join(first), join(second));
        let test = |name: &str| format!("$.{name} IS TRUE");
        let (ta, tb, tc) = (test("a"), test("b"), test("c"));
        let apply = |and: bool, l: bool, r: bool| if and { l && r } else { l || r };
        let grouped = if left {
            (format!("{{ ({ta} {x} {tb}) {y} {tc} }}"), apply(second, apply(first, a, b), c))
        } else {
            (format!("{{ {ta} {x} ({tb} {y} {tc}) }}"), apply(first, a, apply(second, b, c)))
        };
        prop_assert_eq!(matches(&grouped.0, &message), grouped.1);
        let plain = match (first, second) {
            (false, true) => a || b && c,
            (true, false) => a && b || c,
            (and, _) => apply(and, apply(and, a, b), c),
        };
        prop_assert_eq!(matches(&format!("{{ {ta} {x} {tb} {y} {tc} }}"), &message), plain);
    }
}
