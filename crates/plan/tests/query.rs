//! The cluster query language: what the developer guide says of it, and what holds of every text.

mod support;

use model::{command::*, *};
use plan::query::{Comparison, Expression, Pattern, Subject, Test};
use proptest::prelude::*;
use std::sync::LazyLock;
use support::*;

/// 2018-06-18T22:28:28Z
const THEN_MS: u64 = 1_529_360_908_000;

fn attribute(name: &str, value: Option<&str>) -> Attribute {
    Attribute { name: name.into(), value: value.map(Into::into) }
}

/// One instance of the cluster that runs one task, of the group `family:one`.
fn sim() -> Sim {
    let mut sim = Sim::new(0, 1);
    sim.now_ms = THEN_MS;
    sim.join(Registration {
        attributes: vec![
            attribute("ecs.instance-type", Some("g2.xlarge")),
            attribute("ecs.availability-zone", Some("us-east-1a")),
            attribute("gpus", Some("4")),
            attribute("ssd", None),
        ],
        agent_version: Some("1.14.10".into()),
        ec2_instance_id: Some("i-abcd1234".into()),
        ..instance(1, Home::Cluster(cluster()), Size::new(4096, 8192))
    });
    let task = NewTask { group: Some("service:production".into()), ..task(7, 1) };
    sim.run(Command::StartTasks { tasks: vec![task], token: None });
    sim.progress(TaskId(7));
    sim
}

fn matches(sim: &Sim, text: &str) -> bool {
    let expression = Expression::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    expression.matches(&sim.world, sim.world.instance(InstanceId(1)).unwrap())
}

#[test]
fn what_holds() {
    let sim = sim();
    for text in [
        // The guide's examples, fitted to the instance.
        "attribute:ecs.instance-type == g2.xlarge",
        "attribute:ecs.availability-zone in [us-east-1a, us-east-1b]",
        "attribute:ecs.instance-type =~ g2.* and attribute:ecs.availability-zone != us-east-1d",
        "task:group == service:production",
        "not(task:group == database)",
        "runningTasksCount == 1",
        "agentVersion < 1.14.11",
        "registeredAt < 2018-07-13",
        "ec2InstanceId in ['i-abcd1234', 'i-wxyx7890']",
        "agentConnected == true",
        // The words for the signs.
        "attribute:ecs.instance-type equals g2.xlarge",
        "attribute:ecs.instance-type not_equals t2.small",
        "attribute:ecs.instance-type matches \"(g2|g3)\\..*\"",
        "attribute:ecs.instance-type not_matches g2",
        "runningTasksCount greater_than 0 && runningTasksCount less_than 2",
        "runningTasksCount greater_than_equal 1 && runningTasksCount less_than_equal 1",
        "attribute:color not_exists",
        "attribute:ssd exists",
        "attribute:color !exists",
        "agentConnected not_in [false]",
        "ec2InstanceId !in [i-1]",
        // Versions, numbers and dates compare as what they are.
        "agentVersion > 1.14.9 and agentVersion >= 1.14.10 and agentVersion == 1.14.10",
        "attribute:gpus > 10 or attribute:gpus >= 4",
        "attribute:gpus < 10",
        "registeredAt == 2018-06-18T22:28:28+00:00",
        "registeredAt == 2018-06-18T22:28:28Z",
        "registeredAt == 2018-06-18T22:28:28",
        "registeredAt >= 2018-06-18",
        // An instance that hasn't the attribute isn't equal to anything.
        "attribute:color != red",
        "attribute:color !~ r.*",
        "attribute:color !in [red]",
        // `and` binds closer than `or`, and spaces don't matter.
        "agentConnected==true||agentConnected==false&&agentConnected==false",
        "!(agentConnected == false)",
        "not not agentConnected == true",
        "  ( ( agentConnected == true ) )  ",
    ] {
        assert!(matches(&sim, text), "{text}");
        assert!(!matches(&sim, &format!("not ({text})")), "not ({text})");
    }
}

#[test]
fn what_does_not_hold() {
    let sim = sim();
    for text in [
        "attribute:ecs.instance-type =~ g2",
        "attribute:ecs.instance-type == G2.XLARGE",
        "attribute:gpus == 4.0",
        "attribute:ssd == 1",
        "attribute:color == red",
        "attribute:color > 1",
        "attribute:color in [red, '']",
        "task:group in [database, family:one]",
        "(agentConnected == true or agentConnected == true) and agentConnected == false",
        "registeredAt > 2018-06-18T22:28:28Z",
        "agentVersion > 1.14.10",
    ] {
        assert!(!matches(&sim, text), "{text}");
    }
}

#[test]
fn a_custom_attribute_stands_before_the_agent_s_own() {
    let mut sim = sim();
    let put = |name: &str, value| (InstanceId(1), attribute(name, Some(value)));
    let attributes = vec![put("gpus", "5"), put("rack", "r1")];
    sim.run(Command::PutAttributes { cluster: cluster(), attributes });
    assert!(matches(&sim, "attribute:gpus == 5 and attribute:rack == r1"));
    let names = vec![(InstanceId(1), "gpus".into())];
    sim.run(Command::DeleteAttributes { cluster: cluster(), names });
    assert!(matches(&sim, "attribute:gpus !exists and attribute:rack exists"));
}

#[test]
fn what_is_refused_says_where_and_why() {
    let said: Vec<String> = [
        "",
        "attribute: == x",
        "color == blue",
        "attribute:x",
        "attribute:x ==",
        "attribute:x == a b",
        "attribute:x in a",
        "attribute:x in [a, b",
        "attribute:x == 'a",
        "(agentConnected == true",
        "agentConnected > true",
        "agentConnected == yes",
        "agentVersion =~ 1.*",
        "agentVersion < new",
        "registeredAt < yesterday",
        "runningTasksCount == many",
        "runningTasksCount exists",
        "attribute:x =~ '('",
        "attribute:x =~ '(?=a)'",
        "attribute:x =~ 'a{1000}{1000}'",
        "agentConnected == true and",
    ]
    .iter()
    .map(|text| format!("{text:<30} {}", Expression::parse(text).unwrap_err()))
    .collect();
    insta::assert_snapshot!(said.join("\n"), @r#"
                                   expected a subject: agentConnected, agentVersion, attribute:NAME, ec2InstanceId, registeredAt, runningTasksCount or task:group (at character 1)
    attribute: == x                expected a subject: agentConnected, agentVersion, attribute:NAME, ec2InstanceId, registeredAt, runningTasksCount or task:group (at character 1)
    color == blue                  expected a subject: agentConnected, agentVersion, attribute:NAME, ec2InstanceId, registeredAt, runningTasksCount or task:group (at character 1)
    attribute:x                    expected an operator: ==, !=, >, >=, <, <=, exists, !exists, in, !in, =~ or !~ (at character 12)
    attribute:x ==                 expected a value; in quotes where it holds spaces or parentheses (at character 15)
    attribute:x == a b             expected and, or, or the end (at character 18)
    attribute:x in a               expected a list like [a, b] (at character 16)
    attribute:x in [a, b           expected a comma or a closing bracket (at character 21)
    attribute:x == 'a              the quotation has no end (at character 18)
    (agentConnected == true        expected and, or, or a closing parenthesis (at character 24)
    agentConnected > true          the operator is not one of agentConnected's (at character 16)
    agentConnected == yes          agentConnected is true or false (at character 16)
    agentVersion =~ 1.*            the operator is not one of agentVersion's (at character 14)
    agentVersion < new             agentVersion is compared with a version like 1.14.5 (at character 14)
    registeredAt < yesterday       registeredAt is compared with a date: 2018-06-18T22:28:28+00:00, 2018-06-18T22:28:28Z, 2018-06-18T22:28:28 or 2018-06-18 (at character 14)
    runningTasksCount == many      runningTasksCount is compared with a number (at character 19)
    runningTasksCount exists       the operator is not one of runningTasksCount's (at character 19)
    attribute:x =~ '('             ( is no regular expression that is understood here (at character 19)
    attribute:x =~ '(?=a)'         (?=a) is no regular expression that is understood here (at character 23)
    attribute:x =~ 'a{1000}{1000}' the pattern a{1000}{1000} is too large (at character 31)
    agentConnected == true and     expected a subject: agentConnected, agentVersion, attribute:NAME, ec2InstanceId, registeredAt, runningTasksCount or task:group (at character 27)
    "#);
    assert!(Expression::parse(&"(".repeat(1000)).unwrap_err().why.contains("deep"));
    assert!(
        Expression::parse(&format!("attribute:x == {}", "y".repeat(2000))).unwrap_err().why.contains("2000")
    );
}

fn any_value() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z0-9.:/@-]{1,8}", "[a-z (),=!&|]{0,6}", "[a-z']{1,4}"]
}

fn any_test() -> impl Strategy<Value = Expression> {
    let attribute = "[a-z.]{1,6}".prop_map(Subject::Attribute);
    let comparison = prop::sample::select(vec![
        Comparison::Equal,
        Comparison::NotEqual,
        Comparison::Greater,
        Comparison::GreaterOrEqual,
        Comparison::Less,
        Comparison::LessOrEqual,
    ]);
    let test = prop_oneof![
        any::<bool>().prop_map(Test::Exists),
        (comparison, any_value()).prop_map(|(comparison, value)| Test::Compare(comparison, value)),
        (any::<bool>(), prop::collection::vec(any_value(), 1..4)).prop_map(|(yes, list)| Test::In(yes, list)),
        (any::<bool>(), "[a-z.]{1,4}[*+]?")
            .prop_map(|(yes, pattern)| Test::Matches(yes, Pattern::new(&pattern).unwrap())),
    ];
    (attribute, test).prop_map(|(subject, test)| Expression::Is(subject, test))
}

fn any_expression() -> impl Strategy<Value = Expression> {
    any_test().prop_recursive(4, 24, 2, |inner| {
        prop_oneof![
            inner.clone().prop_map(|inner| Expression::Not(inner.into())),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| Expression::And(a.into(), b.into())),
            (inner.clone(), inner).prop_map(|(a, b)| Expression::Or(a.into(), b.into())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_shown_reads_back(expression in any_expression()) {
        let text = expression.to_string();
        match Expression::parse(&text) {
            Ok(read) => prop_assert_eq!(read, expression),
            Err(error) => prop_assert!(error.why.contains("2000"), "{}: {}", text, error),
        }
    }

    #[test]
    fn no_text_is_too_odd(text in "[a-zA-Z:=!~<>&|()\\[\\],'\" .*0-9é]{0,60}") {
        let _ = Expression::parse(&text);
    }

    #[test]
    fn nearly_right_texts_are_answered(expression in any_expression(), cut in any::<prop::sample::Index>()) {
        let text = expression.to_string();
        let at = text.char_indices().map(|(at, _)| at).nth(cut.index(text.chars().count())).unwrap_or(0);
        if let Err(error) = Expression::parse(&text[..at]) {
            prop_assert!(error.at <= at + 2 && !error.why.is_empty());
        }
    }

    #[test]
    fn a_negation_is_the_opposite(expression in any_test(), value in prop::option::of("[a-z0-9.]{1,3}")) {
        static SIM: LazyLock<Sim> = LazyLock::new(sim);
        let sim = &*SIM;
        let mut instance = ContainerInstance::clone(sim.world.instance(InstanceId(1)).unwrap());
        let Expression::Is(Subject::Attribute(name), test) = &expression else { unreachable!() };
        instance.custom = vec![attribute(name, value.as_deref())];
        let opposite = match test.clone() {
            Test::Exists(yes) => Test::Exists(!yes),
            Test::In(yes, list) => Test::In(!yes, list),
            Test::Matches(yes, pattern) => Test::Matches(!yes, pattern),
            Test::Compare(Comparison::Equal, value) => Test::Compare(Comparison::NotEqual, value),
            Test::Compare(Comparison::NotEqual, value) => Test::Compare(Comparison::Equal, value),
            Test::Compare(Comparison::Greater, value) => Test::Compare(Comparison::LessOrEqual, value),
            Test::Compare(Comparison::LessOrEqual, value) => Test::Compare(Comparison::Greater, value),
            Test::Compare(Comparison::Less, value) => Test::Compare(Comparison::GreaterOrEqual, value),
            Test::Compare(Comparison::GreaterOrEqual, value) => Test::Compare(Comparison::Less, value),
        };
        let opposite = Expression::Is(Subject::Attribute(name.clone()), opposite);
        prop_assert_ne!(expression.matches(&sim.world, &instance), opposite.matches(&sim.world, &instance));
    }
}
