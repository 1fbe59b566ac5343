use super::*;

async fn list(fixture: &Fixture, members: Value) -> Result<Value, Error> {
    let mut body = json!({"service": "web"});
    body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    fixture.json("ListServiceDeployments", body).await
}

fn arns(answer: &Value) -> Vec<String> {
    let deployments = answer["serviceDeployments"].as_array().unwrap();
    deployments.iter().map(|one| one["serviceDeploymentArn"].as_str().unwrap().to_owned()).collect()
}

async fn described(fixture: &Fixture, arn: &str) -> Value {
    let body = json!({"serviceDeploymentArns": [arn]});
    fixture.json("DescribeServiceDeployments", body).await.unwrap()["serviceDeployments"][0].take()
}

/// A second goes by between any two of them. The ARNs of the service deployments, the newest first.
async fn deployed(fixture: &Fixture, times: usize) -> Vec<String> {
    create(fixture, json!({"taskDefinition": "web:1"})).await.unwrap();
    for _ in 1..times {
        fixture.clock.advance_ms(1000);
        update(fixture, json!({"forceNewDeployment": true})).await.unwrap();
    }
    arns(&list(fixture, json!({"maxResults": 100})).await.unwrap())
}

#[tokio::test]
async fn a_service_names_its_deployment_and_revisions() {
    let fixture = fixture().await;
    let created = create(&fixture, json!({"taskDefinition": "web:1"})).await.unwrap();
    let arn = created["currentServiceDeployment"].as_str().unwrap();
    let id = arn.strip_prefix("arn:aws:ecs:us-east-1:000000000000:service-deployment/default/web/").unwrap();
    assert!(id.len() == 21 && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)), "{id}");
    // Terraform finds the one by the digits of the other.
    let digits = created["deployments"][0]["id"].as_str().unwrap().strip_prefix("ecs-svc/").unwrap();
    let revision = format!("arn:aws:ecs:us-east-1:000000000000:service-revision/default/web/{digits}");
    let counts =
        json!({"arn": revision, "requestedTaskCount": 2, "runningTaskCount": 0, "pendingTaskCount": 0});
    assert_eq!(created["currentServiceRevisions"], json!([counts]));
    let known = described(&fixture, arn).await;
    assert_eq!(known["status"], "PENDING");
    assert_eq!(known["targetServiceRevision"], counts);
    assert_eq!(known["sourceServiceRevisions"], json!([]));
    assert_eq!(known["deploymentConfiguration"], created["deploymentConfiguration"]);
    assert_eq!(
        known["deploymentCircuitBreaker"],
        json!({"status": "DISABLED", "failureCount": 0, "threshold": 0})
    );
    assert_eq!(known["alarms"], json!({"status": "DISABLED"}));
    let answer =
        fixture.json("DescribeServiceRevisions", json!({"serviceRevisionArns": [revision]})).await.unwrap();
    let known = &answer["serviceRevisions"][0];
    assert_eq!(known["taskDefinition"], created["taskDefinition"]);
    assert_eq!(known["launchType"], "FARGATE");
    assert_eq!(known["platformVersion"], "1.4.0");
    assert_eq!(known["networkConfiguration"], created["networkConfiguration"]);
    assert_eq!(known["containerImages"], json!([{"containerName": "web", "image": "web:1"}]));
    assert_eq!(answer["failures"], json!([]));
}

#[tokio::test]
async fn they_are_listed_newest_first_page_by_page() {
    let fixture = fixture().await;
    let all = deployed(&fixture, 25).await;
    assert_eq!(all.len(), 25);
    assert_eq!(all[0], describe(&fixture, "web").await["currentServiceDeployment"].as_str().unwrap());
    let usual = list(&fixture, json!({})).await.unwrap();
    assert_eq!(arns(&usual), all[..20]);
    let rest = list(&fixture, json!({"nextToken": usual["nextToken"]})).await.unwrap();
    assert_eq!(arns(&rest), all[20..]);
    assert_eq!(rest["nextToken"], Value::Null);
    let wrong = list(&fixture, json!({"nextToken": usual["nextToken"], "status": ["STOPPED"]})).await;
    assert!(refusal(&wrong.unwrap_err()).starts_with("InvalidParameterException: Invalid token"));
}

#[tokio::test]
async fn filters_narrow_the_list() {
    let fixture = fixture().await;
    let all = deployed(&fixture, 3).await;
    let start = crate::testing::START_MS as f64 / 1000.0;
    let cases = [
        (json!({"status": ["PENDING"]}), &all[..1]),
        (json!({"status": ["STOPPED"]}), &all[1..]),
        (json!({"status": ["STOPPED", "PENDING"]}), &all[..]),
        (json!({"status": []}), &all[..]),
        (json!({"status": ["SUCCESSFUL"]}), &[]),
        (json!({"createdAt": {"after": start}}), &all[..2]),
        (json!({"createdAt": {"before": start + 2.0}}), &all[1..]),
        (json!({"createdAt": {"after": start, "before": start + 2.0}}), &all[1..2]),
        (json!({"createdAt": {}}), &all[..]),
    ];
    for (filter, expected) in cases {
        assert_eq!(arns(&list(&fixture, filter.clone()).await.unwrap()), expected, "{filter}");
    }
    // The ARN says the cluster.
    let service = "arn:aws:ecs:us-east-1:000000000000:service/default/web";
    assert_eq!(arns(&list(&fixture, json!({"service": service})).await.unwrap()), all);
}

#[tokio::test]
async fn what_is_older_than_ninety_days_is_no_longer_told() {
    let fixture = fixture().await;
    let all = deployed(&fixture, 2).await;
    fixture.clock.advance_ms(90 * 24 * 60 * 60 * 1000);
    assert_eq!(arns(&list(&fixture, json!({})).await.unwrap()), all[..1], "what is under way is no history");
    let answer =
        fixture.json("DescribeServiceDeployments", json!({"serviceDeploymentArns": all})).await.unwrap();
    assert_eq!(arns(&answer), all[..1]);
    assert_eq!(answer["failures"], json!([{"arn": all[1], "reason": "MISSING"}]));
    let error = fixture.json("StopServiceDeployment", json!({"serviceDeploymentArn": all[1]})).await;
    assert!(refusal(&error.unwrap_err()).starts_with("ServiceDeploymentNotFoundException"));
}

#[tokio::test]
async fn stops_are_recorded_and_what_is_over_is_refused() {
    let fixture = fixture().await;
    let all = deployed(&fixture, 2).await;
    let stop = async |arn: &str, more: Value| {
        let mut body = json!({"serviceDeploymentArn": arn});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        fixture.json("StopServiceDeployment", body).await
    };
    let over = refusal(&stop(&all[1], json!({})).await.unwrap_err());
    assert!(
        over.starts_with("ConflictException: The service deployment can't be stopped because it is STOPPED")
    );
    fixture.clock.advance_ms(1000);
    assert_eq!(stop(&all[0], json!({})).await.unwrap(), json!({"serviceDeploymentArn": all[0]}));
    let asked = described(&fixture, &all[0]).await;
    assert_eq!(asked["status"], "ROLLBACK_REQUESTED");
    // Once more is the same, whatever is asked for.
    fixture.clock.advance_ms(1000);
    stop(&all[0], json!({"stopType": "ABORT"})).await.unwrap();
    assert_eq!(described(&fixture, &all[0]).await, asked);
    // What was acknowledged is there after a crash.
    let after = fixture.restarted();
    assert_eq!(described(&after, &all[0]).await, asked);
    update(&fixture, json!({"forceNewDeployment": true})).await.unwrap();
    assert_eq!(described(&fixture, &all[0]).await["status"], "ROLLBACK_FAILED");
    let newest = describe(&fixture, "web").await["currentServiceDeployment"].as_str().unwrap().to_owned();
    stop(&newest, json!({"stopType": "ABORT"})).await.unwrap();
    assert_eq!(described(&fixture, &newest).await["status"], "STOP_REQUESTED");
}

#[tokio::test]
async fn bad_requests_are_refused_in_ecs_s_words() {
    let fixture = fixture().await;
    let good = deployed(&fixture, 1).await.remove(0);
    let home = "arn:aws:ecs:us-east-1:000000000000:";
    let many = vec![good.clone(); 21];
    let of = |rest: &str| format!("{home}{rest}");
    let cases = [
        (
            "ListServiceDeployments",
            json!({"service": "none"}),
            "ServiceNotFoundException: Service not found.",
        ),
        ("ListServiceDeployments", json!({"service": "web", "cluster": "x"}), "ClusterNotFoundException"),
        ("ListServiceDeployments", json!({"service": of("service/x/web")}), "ClusterNotFoundException"),
        (
            "ListServiceDeployments",
            json!({"service": of("service/x/web"), "cluster": "default"}),
            "InvalidParameterException: Invalid identifier",
        ),
        ("ListServiceDeployments", json!({}), "InvalidParameterException: Service can not be blank."),
        ("ListServiceDeployments", json!({"service": "web", "maxResults": 0}), "InvalidParameterException"),
        ("ListServiceDeployments", json!({"service": "web", "maxResults": 101}), "InvalidParameterException"),
        ("ListServiceDeployments", json!({"service": "web", "status": ["X"]}), "InvalidParameterException"),
        ("DescribeServiceDeployments", json!({"serviceDeploymentArns": []}), "InvalidParameterException"),
        ("DescribeServiceDeployments", json!({"serviceDeploymentArns": many}), "InvalidParameterException"),
        (
            "DescribeServiceDeployments",
            json!({"serviceDeploymentArns": ["web"]}),
            "InvalidParameterException: Invalid identifier: Unexpected service deployment: web",
        ),
        (
            "DescribeServiceDeployments",
            json!({"serviceDeploymentArns": [good.replace("us-east-1", "eu-west-1")]}),
            "InvalidParameterException: Invalid Region in ARN",
        ),
        (
            "DescribeServiceDeployments",
            json!({"serviceDeploymentArns": [of("service-deployment/x/web/a")]}),
            "ClusterNotFoundException",
        ),
        (
            "DescribeServiceDeployments",
            json!({"serviceDeploymentArns": [of("service-deployment/default/none/a")]}),
            "ServiceNotFoundException",
        ),
        ("DescribeServiceRevisions", json!({"serviceRevisionArns": []}), "InvalidParameterException"),
        (
            "DescribeServiceRevisions",
            json!({"serviceRevisionArns": [good]}),
            "InvalidParameterException: Invalid identifier: Unexpected service revision:",
        ),
        (
            "DescribeServiceRevisions",
            json!({"serviceRevisionArns": [of("service-revision/default/none/1")]}),
            "ServiceNotFoundException",
        ),
        ("StopServiceDeployment", json!({}), "InvalidParameterException"),
        ("StopServiceDeployment", json!({"serviceDeploymentArn": "web"}), "InvalidParameterException"),
        (
            "StopServiceDeployment",
            json!({"serviceDeploymentArn": good, "stopType": "HALT"}),
            "InvalidParameterException",
        ),
        (
            "StopServiceDeployment",
            json!({"serviceDeploymentArn": of("service-deployment/default/none/a")}),
            "ServiceDeploymentNotFoundException",
        ),
        (
            "StopServiceDeployment",
            json!({"serviceDeploymentArn": of("service-deployment/default/web/a")}),
            "ServiceDeploymentNotFoundException",
        ),
    ];
    for (operation, body, expected) in cases {
        let error = fixture.json(operation, body.clone()).await.unwrap_err();
        assert!(refusal(&error).starts_with(expected), "{operation} {body}: {error}");
    }
    assert_eq!(described(&fixture, &good).await["status"], "PENDING", "nothing has changed");
    let missing = of("service-revision/default/web/1");
    let answer =
        fixture.json("DescribeServiceRevisions", json!({"serviceRevisionArns": [missing]})).await.unwrap();
    assert_eq!(answer["failures"], json!([{"arn": missing, "reason": "MISSING"}]));
}
