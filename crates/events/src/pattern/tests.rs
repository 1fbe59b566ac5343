mod slow;

use serde_json::{Value, json};

use super::*;

fn event() -> Value {
    json!({
        "version": "0", "id": "1", "detail-type": "ECS Task State Change", "source": "aws.ecs",
        "account": "111122223333", "time": "2026-10-02T16:24:49Z", "region": "us-east-1",
        "resources": ["arn:aws:ecs:us-east-1:111122223333:task/default/1"],
        "detail": {
            "lastStatus": "STOPPED", "stopCode": "EssentialContainerExited", "count": 5, "limit": 301.8, "none": null,
            "empty": "", "list": [], "ok": true, "ip": "10.0.0.33", "ip6": "2001:db8::1", "path": "dir/a*b/x.PNG",
            "containers": [
                {"name": "web", "exitCode": 137, "networkInterfaces": [{"ip": "10.1.0.1"}, {"ip": "10.1.0.2"}]},
                {"name": "log", "exitCode": 0, "reason": "OOM"},
            ],
        },
    })
}

/// Whether `{"detail": {FIELD: [TEST]}}` matches.
fn detail(field: &str, test: Value) -> bool {
    Pattern::parse(&json!({"detail": {field: [test]}}).to_string()).unwrap().matches(&event())
}

#[test]
fn each_operator_of_the_user_guide() {
    for (field, test, expected) in [
        ("lastStatus", json!("STOPPED"), true),
        ("lastStatus", json!("stopped"), false),
        ("lastStatus", json!({"exactly": "STOPPED"}), true),
        ("count", json!(5), true),
        ("count", json!(5.0), true),
        ("count", json!("5"), false),
        ("none", json!(null), true),
        ("empty", json!(""), true),
        ("empty", json!(null), false),
        ("ok", json!(true), true),
        ("lastStatus", json!({"prefix": "STO"}), true),
        ("lastStatus", json!({"prefix": "sto"}), false),
        ("lastStatus", json!({"prefix": {"equals-ignore-case": "sto"}}), true),
        ("path", json!({"suffix": ".PNG"}), true),
        ("path", json!({"suffix": {"equals-ignore-case": ".png"}}), true),
        ("count", json!({"prefix": "5"}), false),
        ("lastStatus", json!({"equals-ignore-case": "stopped"}), true),
        ("path", json!({"wildcard": "dir/*/*.PNG"}), true),
        ("path", json!({"wildcard": "dir/a\\*b/x.PNG"}), true),
        ("path", json!({"wildcard": "*b/*"}), true),
        ("path", json!({"wildcard": "dir/*/y*"}), false),
        ("lastStatus", json!({"wildcard": "STOPPED*STOPPED"}), false),
        ("lastStatus", json!({"anything-but": "RUNNING"}), true),
        ("lastStatus", json!({"anything-but": ["RUNNING", "STOPPED"]}), false),
        ("count", json!({"anything-but": [4, 6]}), true),
        ("count", json!({"anything-but": 5.0}), false),
        ("count", json!({"anything-but": "x"}), true),
        ("gone", json!({"anything-but": "x"}), false),
        ("lastStatus", json!({"anything-but": {"prefix": "STO"}}), false),
        ("lastStatus", json!({"anything-but": {"suffix": ["X", "PED"]}}), false),
        ("lastStatus", json!({"anything-but": {"equals-ignore-case": ["stopped"]}}), false),
        ("path", json!({"anything-but": {"wildcard": "*/lib/*"}}), true),
        ("count", json!({"numeric": [">", 0, "<=", 5]}), true),
        ("count", json!({"numeric": [">=", 5, "<", 6]}), true),
        ("count", json!({"numeric": ["<", 5]}), false),
        ("limit", json!({"numeric": ["=", 3.018e2]}), true),
        ("lastStatus", json!({"numeric": [">", 0]}), false),
        ("ip", json!({"cidr": "10.0.0.0/24"}), true),
        ("ip", json!({"cidr": "10.0.1.0/24"}), false),
        ("ip", json!({"cidr": "0.0.0.0/0"}), true),
        ("ip6", json!({"cidr": "2001:db8::/32"}), true),
        ("ip6", json!({"cidr": "0.0.0.0/0"}), false),
        ("lastStatus", json!({"exists": true}), true),
        ("gone", json!({"exists": true}), false),
        ("gone", json!({"exists": false}), true),
        ("none", json!({"exists": true}), true),
        ("list", json!({"exists": false}), true),
        // Only leaves exist.
        ("containers", json!({"exists": false}), true),
    ] {
        assert_eq!(detail(field, test.clone()), expected, "{field}: {test}");
    }
}

#[test]
fn fields_alternatives_and_lists() {
    for (pattern, expected) in [
        (json!({"source": ["aws.ecs"], "detail": {"lastStatus": ["RUNNING", "STOPPED"]}}), true),
        (json!({"source": ["aws.ec2"], "detail": {"lastStatus": ["STOPPED"]}}), false),
        (json!({"resources": [{"wildcard": "*:task/default/*"}]}), true),
        (json!({"nothing": {"here": [{"exists": false}]}}), true),
        (json!({"nothing": {"here": ["x"]}}), false),
        // Of one and the same container.
        (json!({"detail": {"containers": {"name": ["web"], "exitCode": [{"numeric": [">", 0]}]}}}), true),
        (json!({"detail": {"containers": {"name": ["log"], "exitCode": [{"numeric": [">", 0]}]}}}), false),
        (json!({"detail": {"containers": {"networkInterfaces": {"ip": ["10.1.0.2"]}}}}), true),
        // Another container has a reason.
        (json!({"detail": {"containers": {"name": ["web"], "reason": [{"exists": false}]}}}), false),
        (json!({"$or": [{"source": ["aws.s3"]}, {"detail": {"count": [5]}}]}), true),
        (json!({"source": ["aws.s3"], "$or": [{"source": ["aws.ecs"]}, {"detail": {"count": [5]}}]}), false),
        (
            json!({"detail": {"$or": [{"count": [1]}, {"ok": [true], "$or": [{"count": [2]}, {"count": [5]}]}]}}),
            true,
        ),
        (
            json!({"detail": {"$or": [{"count": [1]}, {"ok": [true], "$or": [{"count": [2]}, {"count": [3]}]}]}}),
            false,
        ),
        // One container must have both, wherever they are asked for.
        (
            json!({"detail": {"containers": {"name": ["web"]}, "$or": [{"containers": {"exitCode": [0]}}, {"count": [1]}]}}),
            false,
        ),
        // Not before two objects: a field of that name.
        (json!({"$or": [{"exists": false}]}), true),
    ] {
        let matches = Pattern::parse(&pattern.to_string()).unwrap().matches(&event());
        assert_eq!(matches, expected, "{pattern}");
    }
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let bad = [
        "[]",
        "{",
        "{}",
        r#"{"source": "aws.ecs"}"#,
        r#"{"source": []}"#,
        r#"{"detail": {"a": {}}}"#,
        r#"{"a": [["x"]]}"#,
        r#"{"a": [{}]}"#,
        r#"{"a": [{"prefix": "x", "suffix": "y"}]}"#,
        r#"{"a": [{"prefix": 1}]}"#,
        r#"{"a": [{"prefix": {"suffix": "x"}}]}"#,
        r#"{"a": [{"like": "x"}]}"#,
        r#"{"a": [{"wildcard": "x**y"}]}"#,
        r#"{"a": [{"wildcard": "x\\y"}]}"#,
        r#"{"a": [{"anything-but": null}]}"#,
        r#"{"a": [{"anything-but": []}]}"#,
        r#"{"a": [{"anything-but": ["x", 1]}]}"#,
        r#"{"a": [{"anything-but": {"numeric": [">", 1]}}]}"#,
        r#"{"a": [{"anything-but": {"prefix": ""}}]}"#,
        r#"{"a": [{"numeric": 5}]}"#,
        r#"{"a": [{"numeric": []}]}"#,
        r#"{"a": [{"numeric": [">"]}]}"#,
        r#"{"a": [{"numeric": [">", "x"]}]}"#,
        r#"{"a": [{"numeric": ["~", 1]}]}"#,
        r#"{"a": [{"numeric": ["=", 1, "<", 2]}]}"#,
        r#"{"a": [{"numeric": ["<", 1, ">", 0]}]}"#,
        r#"{"a": [{"numeric": [">", 1, ">", 2]}]}"#,
        r#"{"a": [{"numeric": [">", 2, "<", 1]}]}"#,
        r#"{"a": [{"numeric": ["<", 6e9]}]}"#,
        r#"{"a": [{"cidr": "10.0.0.0"}]}"#,
        r#"{"a": [{"cidr": "10.0.0/8"}]}"#,
        r#"{"a": [{"cidr": "10.0.0.0/33"}]}"#,
        r#"{"a": [{"cidr": "10.0.0.0/x"}]}"#,
        r#"{"a": [{"exists": "yes"}]}"#,
        r#"{"$or": [{"a": [1]}]}"#,
        r#"{"$or": [{"prefix": ["x"]}, {"b": [1]}]}"#,
        r#"{"$or": [{"a": {"prefix": ["x"]}}, {"b": [1]}]}"#,
    ];
    let said: Vec<String> =
        bad.iter().map(|text| format!("{text}\n  {}", Pattern::parse(text).unwrap_err())).collect();
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn what_is_too_deep_is_refused_and_not_followed() {
    let deep = format!("{}[1]{}", r#"{"a":"#.repeat(100), "}".repeat(100));
    assert!(Pattern::parse(&deep).unwrap_err().to_string().contains("deep"));
    assert!(Pattern::parse(&r#"{"a":"#.repeat(100_000)).is_err());
}

#[test]
fn what_may_match_is_told_by_source_and_type_alone() {
    let may = |pattern: Value| {
        Pattern::parse(&pattern.to_string()).unwrap().may_match("aws.ecs", "ECS Service Action")
    };
    assert!(may(json!({"detail": {"x": ["y"]}})));
    assert!(may(json!({"source": [{"prefix": "aws."}], "account": ["1"]})));
    assert!(!may(json!({"source": ["aws.ecr"]})));
    assert!(!may(json!({"source": ["aws.ecs"], "detail-type": ["ECS Task State Change"]})));
    assert!(may(json!({"$or": [{"source": ["aws.ecr"]}, {"detail-type": [{"suffix": "Action"}]}]})));
    assert!(!may(json!({"$or": [{"source": ["aws.ecr"]}, {"detail-type": ["x"]}]})));
}
