use model::{Command, Home, ServiceStatus, StopCode};
use serde_json::json;

use super::agent::{Stage, stable};
use crate::ecs::service::tests::{create, update};

#[tokio::test]
async fn the_desired_count_is_reached_and_told() {
    let stage = Stage::new().await;
    stable(&stage, json!({"desiredCount": 3})).await;
    let shown = stage.described().await;
    assert_eq!(shown["runningCount"], 3);
    assert_eq!(shown["pendingCount"], 0);
    assert_eq!(shown["deployments"].as_array().unwrap().len(), 1);
    let deployment = &shown["deployments"][0];
    assert_eq!(deployment["runningCount"], 3);
    assert_eq!(deployment["rolloutState"], "COMPLETED");
    let id = deployment["id"].as_str().unwrap();
    assert_eq!(deployment["rolloutStateReason"], format!("ECS deployment {id} completed."));
    assert_eq!(
        stage.told(),
        [
            "(service web) has started 3 tasks: (task *) (task *) (task *).",
            "(service web) (deployment *) deployment completed.",
            "(service web) has reached a steady state.",
        ]
    );
    for task in stage.tasks() {
        assert_eq!(task.group.as_ref().unwrap().as_str(), "service:web");
        assert_eq!(task.started_by.as_ref().unwrap().as_str(), id);
        assert!(task.eni.is_some());
    }
    let listed = stage.fixture.json("ListTasks", json!({"serviceName": "web"})).await.unwrap();
    assert_eq!(listed["taskArns"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn a_task_that_ends_is_replaced() {
    let stage = Stage::new().await;
    stable(&stage, json!({"desiredCount": 3})).await;
    stage.fixture.clock.advance_ms(60_000);
    let gone = stage.tasks()[0].clone();
    stage.exit(&gone, 1).await;
    let (key, id) = (stage.key(), gone.id);
    stage.wait_until("a new task", |world| world.live_tasks_of(&key).count() == 3).await;
    stage.play_until_stable().await;
    assert!(stage.tasks().iter().all(|task| task.id != id));
    // One that the user stops is replaced as well.
    let task = stage.tasks()[0].id.to_string();
    stage.fixture.json("StopTask", json!({"task": task})).await.unwrap();
    stage.wait_until("a new task", |world| world.live_tasks_of(&key).count() == 4).await;
    stage.play_until_stable().await;
    let told = stage.told();
    assert_eq!(
        told[3..],
        [
            "(service web) has started 1 tasks: (task *).",
            "(service web) has reached a steady state.",
            "(service web) has started 1 tasks: (task *).",
            "(service web) has reached a steady state.",
        ]
    );
}

#[tokio::test]
async fn a_service_scales_out_in_and_to_nothing() {
    let stage = Stage::new().await;
    stable(&stage, json!({"desiredCount": 1})).await;
    for desired in [5, 2, 0, 3] {
        let shown = update(&stage.fixture, json!({"desiredCount": desired})).await.unwrap();
        assert_eq!(shown["desiredCount"], desired);
        assert_eq!(shown["deployments"][0]["desiredCount"], desired);
        stage.play_until_stable().await;
        let key = stage.key();
        stage.play_until("no others", |world| world.live_tasks_of(&key).count() == desired as usize).await;
    }
    assert!(
        stage
            .told()
            .contains(&"(service web) has stopped 3 running tasks: (task *) (task *) (task *).".to_owned())
    );
    let stopped = stage.fixture.app.world();
    for task in stopped.stopped_tasks_of(&stage.key()) {
        let stop = task.stop.as_ref().unwrap();
        assert_eq!(stop.code, StopCode::ServiceSchedulerInitiated);
        let deployment = task.deployment.as_ref().unwrap();
        assert_eq!(*stop.reason, *format!("Scaling activity initiated by (deployment {deployment})"));
    }
}

#[tokio::test]
async fn a_deleted_service_drains_and_its_name_is_free_again() {
    let stage = Stage::new().await;
    stable(&stage, json!({"desiredCount": 3})).await;
    let answer = stage.fixture.json("DeleteService", json!({"service": "web", "force": true})).await.unwrap();
    assert_eq!(answer["service"]["status"], "DRAINING");
    let (key, instance) = (stage.key(), stage.instance);
    stage
        .wait_until("asked to stop", |world| {
            world.live_tasks_on(instance).all(|task| task.desired_status == model::DesiredStatus::Stopped)
        })
        .await;
    assert_eq!(stage.described().await["status"], "DRAINING");
    let error = create(&stage.fixture, json!({})).await.unwrap_err();
    assert_eq!(error.message, "Unable to Start a service that is still Draining.");

    let inactive = |world: &model::World| world.service(&key).unwrap().status == ServiceStatus::Inactive;
    stage.play_until("inactive", inactive).await;
    let shown = stage.described().await;
    assert_eq!(shown["deployments"], json!([]));
    assert_eq!((&shown["runningCount"], &shown["desiredCount"]), (&json!(0), &json!(0)));
    assert_eq!(shown["taskDefinition"], "arn:aws:ecs:us-east-1:000000000000:task-definition/web:1");
    assert_eq!(shown["launchType"], "FARGATE");
    let error = stage.fixture.json("DeleteService", json!({"service": "web"})).await.unwrap_err();
    assert_eq!(error.code, "ServiceNotFoundException");
    let error = update(&stage.fixture, json!({"desiredCount": 1})).await.unwrap_err();
    assert_eq!(error.code, "ServiceNotActiveException");

    stable(&stage, json!({"desiredCount": 1})).await;
    assert_eq!(stage.described().await["status"], "ACTIVE");
}

#[tokio::test]
async fn without_a_machine_it_says_so_once_and_goes_on_when_one_comes() {
    let stage = Stage::new().await;
    let away = Command::SetAgentConnected { id: stage.instance, connected: false };
    stage.fixture.submit(away).await;
    create(&stage.fixture, json!({})).await.unwrap();
    let key = stage.key();
    stage.wait_until("told", |world| !world.service(&key).unwrap().events.is_empty()).await;
    // Whatever looks again has nothing new to say.
    for round in 0..3 {
        stage.fixture.clock.advance_ms(2_500);
        update(&stage.fixture, json!({"healthCheckGracePeriodSeconds": round})).await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let told = stage.told();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].starts_with("(service web) was unable to place a task. Reason: Capacity is unavailable"),
        "{told:?}"
    );
    let instance = stage.fixture.instance(Home::Pool, &[]).await;
    stage.wait_until("placed", |world| world.live_tasks_on(instance).count() == 2).await;
}

#[tokio::test]
async fn tasks_that_never_start_are_tried_ever_more_slowly() {
    let stage = Stage::new().await;
    create(&stage.fixture, json!({"desiredCount": 1})).await.unwrap();
    let key = stage.key();
    for failed in 1..=2 {
        stage.wait_until("an attempt", |world| world.live_tasks_of(&key).count() == 1).await;
        stage.fail(&stage.tasks()[0].clone()).await;
        assert_eq!(stage.described().await["deployments"][0]["failedTasks"], failed);
    }
    // The third waits for a time that has not come, whatever else happens.
    update(&stage.fixture, json!({"healthCheckGracePeriodSeconds": 1})).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    assert_eq!(stage.tasks().len(), 0);
    stage.fixture.clock.advance_ms(1_000);
    stage.wait_until("the third attempt", |world| world.live_tasks_of(&key).count() == 1).await;
    stage.play_until_stable().await;
    assert_eq!(stage.described().await["deployments"][0]["failedTasks"], 0);
}

#[tokio::test]
async fn tags_come_to_the_tasks() {
    let stage = Stage::new().await;
    let tags = json!([{"key": "team", "value": "web"}]);
    let members =
        json!({"desiredCount": 1, "tags": tags, "propagateTags": "SERVICE", "enableECSManagedTags": true});
    stable(&stage, members).await;
    let asked = json!({"tasks": [stage.tasks()[0].id.to_string()], "include": ["TAGS"]});
    let shown = stage.fixture.json("DescribeTasks", asked).await.unwrap();
    assert_eq!(
        shown["tasks"][0]["tags"],
        json!([
            {"key": "team", "value": "web"},
            {"key": "aws:ecs:clusterName", "value": "default"},
            {"key": "aws:ecs:serviceName", "value": "web"},
        ])
    );
}

/// No timer and no sweep comes before the next step: the commit of the last one brings it.
#[tokio::test]
async fn a_service_beyond_one_step_goes_on_by_its_own_commits() {
    let stage = Stage::new().await;
    for _ in 0..9 {
        stage.fixture.instance(Home::Pool, &[]).await;
    }
    create(&stage.fixture, json!({"desiredCount": 150})).await.unwrap();
    let key = stage.key();
    stage.wait_until("all started", |world| world.live_tasks_of(&key).count() == 150).await;
    let told = stage.told();
    let started: Vec<&String> = told.iter().filter(|line| line.contains(" has started ")).collect();
    assert!(started[0].starts_with("(service web) has started 100 tasks: (task *)"), "{told:#?}");
    assert!(started[0].ends_with("(task *) and 90 more."), "{told:#?}");
    assert!(started[1].starts_with("(service web) has started 50 tasks: (task *)"), "{told:#?}");
}
