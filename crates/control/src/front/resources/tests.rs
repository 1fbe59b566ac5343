use model::World;
use serde_json::{Value, json};
use wire::arn::Home;

use super::{About, of};

const HOME: Home<'_> = Home { region: "us-east-1", account: "000000000000" };

fn about(service: &str, operation: &str, input: Value) -> About {
    let service = wire::SERVICES.iter().find(|info| info.name == service).unwrap();
    of(service.operation(operation).unwrap(), &input, HOME, &World::default())
}

fn resources(service: &str, operation: &str, input: Value) -> Vec<String> {
    about(service, operation, input).resources
}

fn ecs(resource: &str) -> String {
    format!("arn:aws:ecs:us-east-1:000000000000:{resource}")
}

fn ecr(name: &str) -> String {
    format!("arn:aws:ecr:us-east-1:000000000000:repository/{name}")
}

fn logs(rest: &str) -> String {
    format!("arn:aws:logs:us-east-1:000000000000:log-group:{rest}")
}

#[test]
fn what_ecs_calls_name() {
    let cases = [
        ("DeleteCluster", json!({"cluster": "web"}), vec![ecs("cluster/web")]),
        ("DeleteCluster", json!({"cluster": ecs("cluster/web")}), vec![ecs("cluster/web")]),
        ("DescribeClusters", json!({}), vec![ecs("cluster/default")]),
        ("DescribeClusters", json!({"clusters": ["a", "b"]}), vec![ecs("cluster/a"), ecs("cluster/b")]),
        ("CreateService", json!({"cluster": "web", "serviceName": "front"}), vec![ecs("service/web/front")]),
        ("UpdateService", json!({"service": "front"}), vec![ecs("service/default/front")]),
        (
            "UpdateService",
            json!({"cluster": "web", "service": ecs("service/web/f")}),
            vec![ecs("service/web/f")],
        ),
        ("StopTask", json!({"cluster": "web", "task": "0123"}), vec![ecs("task/web/0123")]),
        ("DescribeTasks", json!({"tasks": ["1", "2"]}), vec![ecs("task/default/1"), ecs("task/default/2")]),
        ("RunTask", json!({"taskDefinition": "web:3"}), vec![ecs("task-definition/web:3")]),
        ("RunTask", json!({"taskDefinition": "web"}), vec![ecs("task-definition/web:*")]),
        ("ListTasks", json!({"cluster": "web"}), vec!["*".to_owned()]),
        ("RegisterTaskDefinition", json!({"family": "web"}), vec!["*".to_owned()]),
        ("TagResource", json!({"resourceArn": ecs("cluster/web")}), vec![ecs("cluster/web")]),
        // No other spelling of a resource is another one.
        (
            "TagResource",
            json!({"resourceArn": "arn:aws-cn:ecs:r:1:cluster/a"}),
            vec!["arn:aws:ecs:r:1:cluster/a".to_owned()],
        ),
        ("ListServiceDeployments", json!({"service": "front"}), vec![ecs("service/default/front")]),
        // Its own cluster is what the operation reads, too.
        ("ListServiceDeployments", json!({"service": ecs("service/web/f")}), vec![ecs("service/web/f")]),
        (
            "ListServiceDeployments",
            json!({"cluster": "other", "service": ecs("service/web/f")}),
            vec![ecs("service/other/f")],
        ),
        (
            "StopServiceDeployment",
            json!({"serviceDeploymentArn": ecs("service-deployment/web/f/x")}),
            vec![ecs("service-deployment/web/f/x")],
        ),
        (
            "DescribeServiceDeployments",
            json!({"serviceDeploymentArns": [ecs("service-deployment/web/f/x"), "x"]}),
            vec![ecs("service-deployment/web/f/x"), "*".to_owned()],
        ),
        (
            "DescribeServiceRevisions",
            json!({"serviceRevisionArns": [ecs("service-revision/web/f/1")]}),
            vec![ecs("service-revision/web/f/1")],
        ),
        // What the operation will not understand is nothing in particular.
        ("StopTask", json!({"task": "a/b/c"}), vec!["*".to_owned()]),
    ];
    for (operation, input, expected) in cases {
        assert_eq!(resources("ecs", operation, input.clone()), expected, "{operation} {input}");
    }
}

#[test]
fn what_calls_of_the_others_name() {
    assert_eq!(resources("ecr", "PutImage", json!({"repositoryName": "team/app"})), [ecr("team/app")]);
    assert_eq!(resources("ecr", "DescribeRepositories", json!({})), [ecr("*")]);
    assert_eq!(
        resources("ecr", "DescribeRepositories", json!({"repositoryNames": ["a", "b"]})),
        [ecr("a"), ecr("b")]
    );
    assert_eq!(resources("ecr", "GetAuthorizationToken", json!({})), ["*"]);
    let put = json!({"logGroupName": "/ecs/web", "logStreamName": "s"});
    assert_eq!(resources("logs", "PutLogEvents", put), [logs("/ecs/web:log-stream:s")]);
    let tail = json!({"logGroupIdentifiers": [logs("/ecs/web")]});
    assert_eq!(resources("logs", "StartLiveTail", tail), [logs("/ecs/web:log-stream:")]);
    assert_eq!(resources("logs", "DescribeLogGroups", json!({})), [logs(":log-stream:")]);
    assert_eq!(resources("sts", "GetCallerIdentity", json!({})), ["*"]);
}

#[test]
fn what_calls_of_eventbridge_name() {
    let events = |rest: &str| format!("arn:aws:events:us-east-1:000000000000:{rest}");
    for (operation, input, expected) in [
        ("PutRule", json!({"Name": "r"}), vec![events("rule/r")]),
        ("PutTargets", json!({"Rule": "r", "EventBusName": "b"}), vec![events("rule/b/r")]),
        ("DeleteRule", json!({"Name": "r", "EventBusName": events("event-bus/b")}), vec![events("rule/b/r")]),
        (
            "PutEvents",
            json!({"Entries": [{}, {"EventBusName": "b"}]}),
            vec![events("event-bus/default"), events("event-bus/b")],
        ),
        ("CreateEventBus", json!({"Name": "b"}), vec![events("event-bus/b")]),
        ("TagResource", json!({"ResourceARN": events("rule/r")}), vec![events("rule/r")]),
        ("ListRules", json!({}), vec!["*".to_owned()]),
    ] {
        assert_eq!(resources("events", operation, input.clone()), expected, "{operation} {input}");
    }
}

#[test]
fn a_rule_can_be_lent_only_what_its_maker_may_do() {
    let operation = wire::events::SERVICE.operation("PutTargets").unwrap();
    let lent = |target: Value| -> Vec<String> {
        let input = json!({"Rule": "r", "Targets": [target]});
        let lent = super::lent(operation, &input, HOME, &World::default());
        lent.into_iter().map(|lent| format!("{} {} {:?}", lent.action, lent.resource, lent.keys)).collect()
    };
    assert!(lent(json!({"Arn": "http://localhost/"})).is_empty());
    assert_eq!(
        lent(json!({"Arn": logs("/a:*"), "DeadLetterConfig": {"Arn": logs("/b")}})),
        [
            format!("logs:PutLogEvents {} []", logs("/a:log-stream:")),
            format!("logs:PutLogEvents {} []", logs("/b:log-stream:"))
        ]
    );
    let cluster = ecs("cluster/web");
    for (named, meant) in [("job:3", "job:3"), ("job", "job:*")] {
        let definition = ecs(&format!("task-definition/{named}"));
        let expected = ecs(&format!("task-definition/{meant}"));
        assert_eq!(
            lent(json!({"Arn": cluster, "EcsParameters": {"TaskDefinitionArn": definition}})),
            [format!("ecs:RunTask {expected} [(\"ecs:cluster\", {cluster:?})]")]
        );
    }
}

#[test]
fn keys_for_conditions() {
    let listed = about("ecs", "ListTasks", json!({"cluster": "web"}));
    assert_eq!(listed.keys, [("ecs:cluster".to_owned(), ecs("cluster/web"))]);
    let tagged = about(
        "ecr",
        "CreateRepository",
        json!({"repositoryName": "a", "tags": [{"Key": "k", "Value": "v"}]}),
    );
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    assert_eq!(tagged.keys, [pair("aws:RequestTag/k", "v"), pair("aws:TagKeys", "k")]);
}

#[test]
fn what_belongs_to_a_service_says_its_cluster() {
    let both = vec![("ecs:cluster", ecs("cluster/web")), ("ecs:service", ecs("service/web/f"))];
    assert_eq!(super::keys_of(&ecs("service-deployment/web/f/x"), HOME), both);
    assert_eq!(super::keys_of(&ecs("service-revision/web/f/1"), HOME), both);
    assert_eq!(super::keys_of(&ecs("service/web/f"), HOME), []);
    assert_eq!(super::keys_of("*", HOME), []);
    let listed = about("ecs", "ListServiceDeployments", json!({"service": ecs("service/web/f")}));
    assert_eq!(listed.keys, [("ecs:cluster".to_owned(), ecs("cluster/web"))]);
}
