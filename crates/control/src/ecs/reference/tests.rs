use serde_json::{Value, json};

use crate::testing::Fixture;

const TASK: &str = "0123456789abcdef0123456789abcdef";

/// Whatever takes a cluster, with what else it needs, `cluster` being `default`.
fn calls() -> Vec<(&'static str, Value)> {
    vec![
        ("RunTask", json!({"taskDefinition": "web"})),
        ("StopTask", json!({"task": TASK})),
        ("DescribeTasks", json!({"tasks": [TASK]})),
        ("ListTasks", json!({})),
        ("CreateService", json!({"serviceName": "web", "taskDefinition": "web", "desiredCount": 1})),
        ("UpdateService", json!({"service": "web"})),
        ("DeleteService", json!({"service": "web"})),
        ("DescribeServices", json!({"services": ["web"]})),
        ("ListServices", json!({})),
        ("RegisterContainerInstance", json!({})),
        ("DeregisterContainerInstance", json!({"containerInstance": TASK})),
        ("DescribeContainerInstances", json!({"containerInstances": [TASK]})),
        ("ListContainerInstances", json!({})),
        ("UpdateCluster", json!({})),
        ("DeleteCluster", json!({})),
    ]
}

async fn refused(fixture: &Fixture, operation: &str, mut body: Value, cluster: &str) -> String {
    body["cluster"] = json!(cluster);
    fixture.json(operation, body).await.unwrap_err().to_string()
}

#[tokio::test]
async fn a_deleted_cluster_is_told_from_one_that_never_was() {
    let fixture = Fixture::new().await;
    fixture.json("CreateCluster", json!({"clusterName": "gone"})).await.unwrap();
    fixture.json("DeleteCluster", json!({"cluster": "gone"})).await.unwrap();
    for (operation, body) in calls() {
        for name in ["gone", "arn:aws:ecs:us-east-1:000000000000:cluster/gone"] {
            let said = refused(&fixture, operation, body.clone(), name).await;
            let inactive = "ClusterNotFoundException: The referenced cluster was inactive.";
            assert_eq!(said, inactive, "{operation} {name}");
        }
        let said = refused(&fixture, operation, body, "never").await;
        assert_eq!(said, "ClusterNotFoundException: Cluster not found.", "{operation}");
    }
    let shown = fixture.json("DescribeClusters", json!({"clusters": ["gone", "never"]})).await.unwrap();
    assert_eq!(shown["clusters"][0]["status"], "INACTIVE");
    assert_eq!(shown["failures"][0]["reason"], "MISSING");
    // Made again, it is as good as any.
    fixture.json("CreateCluster", json!({"clusterName": "gone"})).await.unwrap();
    fixture.json("ListTasks", json!({"cluster": "gone"})).await.unwrap();
}

#[tokio::test]
async fn an_identifier_of_another_cluster_names_both() {
    let fixture = Fixture::new().await;
    let arn = |resource: &str| format!("arn:aws:ecs:us-east-1:000000000000:{resource}");
    let [task, service] = [arn(&format!("task/blue/{TASK}")), arn("service/blue/web")];
    let instance = arn(&format!("container-instance/blue/{TASK}"));
    let short = format!("blue/{TASK}");
    for (operation, body) in [
        ("StopTask", json!({"task": task})),
        ("StopTask", json!({"task": short})),
        ("DescribeTasks", json!({"tasks": [task]})),
        ("DescribeServices", json!({"services": [service]})),
        ("UpdateService", json!({"service": service})),
        ("DeleteService", json!({"service": service})),
        ("ListTasks", json!({"serviceName": service})),
        ("DescribeContainerInstances", json!({"containerInstances": [instance]})),
        ("DeregisterContainerInstance", json!({"containerInstance": instance})),
    ] {
        let said = refused(&fixture, operation, body, "default").await;
        let both = "InvalidParameterException: Invalid identifier: Identifier is for cluster blue. Your cluster \
                    is default";
        assert_eq!(said, both, "{operation}");
    }
}

#[tokio::test]
async fn an_arn_of_another_region_or_account_is_refused() {
    let fixture = Fixture::new().await;
    for (home, expected) in [
        ("eu-west-1:000000000000", "Invalid Region in ARN"),
        ("us-east-1:111111111111", "Identifier is for 111111111111. Your accountId is 000000000000"),
    ] {
        let expected = format!("InvalidParameterException: {expected}");
        let cluster = format!("arn:aws:ecs:{home}:cluster/default");
        for (operation, body) in calls() {
            assert_eq!(refused(&fixture, operation, body, &cluster).await, expected, "{operation}");
        }
        let service = format!("arn:aws:ecs:{home}:service/default/web");
        let body = json!({"services": [service]});
        assert_eq!(refused(&fixture, "DescribeServices", body, "default").await, expected);
        // Here it is a failure like that of any cluster which isn't there.
        let shown = fixture.json("DescribeClusters", json!({"clusters": [cluster]})).await.unwrap();
        assert_eq!(shown["failures"], json!([{"arn": cluster, "reason": "MISSING"}]));
    }
    let definition = "arn:aws:ecs:eu-west-1:000000000000:task-definition/web:1";
    let error =
        fixture.json("DescribeTaskDefinition", json!({"taskDefinition": definition})).await.unwrap_err();
    assert_eq!(error.to_string(), "InvalidParameterException: Invalid Region in ARN");
}
