use model::Home;
use serde_json::json;
use wire::acs::Decoded;
use wire::tcs::ToServer;

use super::*;
use crate::testing::Fixture;

async fn two_tasks(fixture: &Fixture) -> (InstanceId, Vec<String>) {
    let machine = fixture.instance(Home::Pool, &[("longshore.capacity", Some("serverless"))]).await;
    let container = json!({"name": "app", "image": "busybox", "essential": true});
    let definition = json!({"family": "web", "cpu": "256", "memory": "512", "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"], "containerDefinitions": [container]});
    fixture.json("RegisterTaskDefinition", definition).await.unwrap();
    let network = json!({"awsvpcConfiguration": {"subnets": ["subnet-1"]}});
    let run = json!({"taskDefinition": "web", "count": 2, "launchType": "FARGATE", "networkConfiguration": network});
    let answer = fixture.json("RunTask", run).await.unwrap();
    let arns =
        answer["tasks"].as_array().unwrap().iter().map(|task| task["taskArn"].as_str().unwrap().to_owned());
    (machine, arns.collect())
}

fn page(report: &str, fin: bool, tasks: &[(&str, f64, i64)]) -> PublishMetricsRequest {
    let metric = |(arn, cpu, samples): &(&str, f64, i64)| {
        json!({"taskArn": arn, "containerMetrics": [{"containerName": "app",
            "cpuStatsSet": {"min": 0.0, "max": cpu, "sum": cpu, "sampleCount": samples},
            "memoryStatsSet": {"min": 3.0, "max": 5.0, "sum": 8.0, "sampleCount": 2}}]})
    };
    let text = json!({"type": "PublishMetricsRequest", "message": {
        "metadata": {"cluster": "c", "containerInstance": "i", "messageId": report, "fin": fin},
        "taskMetrics": tasks.iter().map(metric).collect::<Vec<_>>()}});
    match ToServer::decode(&text.to_string()) {
        Ok(Decoded::Known(ToServer::PublishMetricsRequest(page))) => page,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_report_replaces_the_one_before_page_by_page() {
    let fixture = Fixture::new().await;
    let (machine, arns) = two_tasks(&fixture).await;
    let (app, usages) = (&fixture.app, Usages::default());
    let scope = fixture.cluster("default").scope;
    let seen = |cluster: Option<&str>| {
        let asked = UsageRequest { cluster: cluster.map(ToOwned::to_owned) };
        usages.answer(&app.world(), &scope, &asked).tasks
    };
    usages.record(&app.world(), machine, &page("1", false, &[(&arns[0], 50.0, 1)]), 7);
    usages.record(&app.world(), machine, &page("1", true, &[(&arns[1], 90.0, 0)]), 8);
    let both = seen(None);
    assert_eq!(both.len(), 2);
    let of = |arn: &str| both.iter().find(|task| task.task_arn == arn).unwrap();
    let app_of =
        |cpu| ContainerUsage { name: "app".into(), cpu_percent: cpu, memory_mib: Some(4.0), restarts: None };
    assert_eq!((of(&arns[0]).reported_at_ms, &of(&arns[0]).containers[0]), (7, &app_of(Some(50.0))));
    assert_eq!(of(&arns[1]).containers[0], app_of(None), "without a sample there is no figure");
    assert_eq!((seen(Some("default")).len(), seen(Some("other")).len()), (2, 0));

    usages.record(&app.world(), machine, &page("2", true, &[(&arns[1], 10.0, 1)]), 9);
    let left: Vec<String> = seen(None).into_iter().map(|task| task.task_arn).collect();
    assert_eq!(left, [arns[1].clone()], "what the newest report doesn't name runs no more");
    usages.forget(machine);
    assert!(seen(None).is_empty());
}

#[tokio::test]
async fn an_agent_speaks_for_its_own_tasks_and_accounts_see_their_own() {
    let fixture = Fixture::new().await;
    let (machine, arns) = two_tasks(&fixture).await;
    let another = fixture.instance(Home::Pool, &[("longshore.capacity", Some("serverless"))]).await;
    let world = fixture.app.world();
    let usages = Usages::default();
    let scope = fixture.cluster("default").scope;
    usages.record(&world, another, &page("1", true, &[(&arns[0], 50.0, 1), ("nonsense", 1.0, 1)]), 7);
    assert!(usages.answer(&world, &scope, &UsageRequest::default()).tasks.is_empty());
    usages.record(&world, machine, &page("1", true, &[(&arns[0], 50.0, 1)]), 7);
    let stranger = Scope::new("111111111111", scope.region.as_str());
    assert!(usages.answer(&world, &stranger, &UsageRequest::default()).tasks.is_empty());
    assert_eq!(usages.answer(&world, &scope, &UsageRequest::default()).tasks.len(), 1);
}

#[test]
fn figures_that_are_none_are_left_out() {
    let set = |sum, sample_count| Statistics { sum, sample_count, ..Statistics::default() };
    assert_eq!(average(set(30.0, 3)), Some(10.0));
    for bad in [set(1.0, 0), set(1.0, -1), set(f64::NAN, 1), set(f64::INFINITY, 1), set(-1.0, 1)] {
        assert_eq!(average(bad), None);
    }
}
