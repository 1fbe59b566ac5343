//! `longshore stop` and `start`: a service without tasks for a while, and back to as many as it had.
//!
//! How many those were is remembered in a resource tag of the service, so that it outlives everything and any client can
//! read it. The tag is written before the tasks go, and taken away after they are wanted again: broken off in between,
//! either command can be given again.
//!
//! A daemon has no count. It stops by a placement constraint that no instance meets, and starts when that is gone.

mod daemon;

use std::process::ExitCode;

use anyhow::{Result, bail};
use wire::ecs::{self, ops};

use crate::cli::HaltArgs;
use crate::find;
use crate::ps;
use crate::site::Site;
use crate::talk::Client;

/// The resource tag of a stopped service that says how many tasks it had.
const COUNT: &str = "longshore:desired-count";

/// What is wanted of a service, and remembered of it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct State {
    desired: i32,
    /// The tag's value, whatever it is.
    tag: Option<String>,
}

#[derive(Debug, PartialEq, Eq)]
enum Act {
    /// There is nothing to be done.
    Nothing(String),
    /// Remember so many, then have none.
    Stop(i32),
    /// Have so many, then forget.
    Start(i32),
    /// It has tasks again, by another way: forget.
    Forget,
    Refuse(String),
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    Stop,
    Start,
}

pub async fn stop(site: &Site, args: &HaltArgs) -> Result<ExitCode> {
    carry_out(site, args, Word::Stop).await
}

pub async fn start(site: &Site, args: &HaltArgs) -> Result<ExitCode> {
    carry_out(site, args, Word::Start).await
}

fn on_stop(state: &State, name: &str) -> Act {
    match (state.desired, state.remembered()) {
        (0, Some(count)) => {
            Act::Nothing(format!("{name} is stopped; `longshore start {name}` starts {} again", tasks(count)))
        }
        (0, None) => Act::Nothing(format!("{name} has no tasks to stop: its desired count is 0")),
        (count, _) => Act::Stop(count),
    }
}

fn on_start(state: &State, name: &str) -> Act {
    match (state.desired, state.remembered(), &state.tag) {
        (0, Some(count), _) => Act::Start(count),
        (0, None, tag) => {
            let why = match tag {
                Some(value) => format!("its tag {COUNT} says {value:?}, which is no number of tasks"),
                None => "it wasn't stopped by `longshore stop`".to_owned(),
            };
            Act::Refuse(format!(
                "how many tasks {name} had isn't known: {why}; `aws ecs update-service --service {name} --desired-count N` \
                 starts N"
            ))
        }
        (_, _, Some(_)) => Act::Forget,
        (count, _, None) => Act::Nothing(format!("{name} isn't stopped: {} wanted", are(count))),
    }
}

impl State {
    fn of(service: &ecs::Service) -> State {
        let tag = service.tags.iter().flatten().find(|tag| tag.key.as_deref() == Some(COUNT));
        let value = tag.map(|tag| tag.value.clone().unwrap_or_default());
        State { desired: service.desired_count.unwrap_or_default(), tag: value }
    }

    fn remembered(&self) -> Option<i32> {
        self.tag.as_deref()?.parse().ok().filter(|count| *count > 0)
    }
}

fn tasks(count: i32) -> String {
    match count {
        1 => "1 task".to_owned(),
        count => format!("{count} tasks"),
    }
}

fn are(count: i32) -> String {
    format!("{} {}", tasks(count), if count == 1 { "is" } else { "are" })
}

async fn carry_out(site: &Site, args: &HaltArgs, word: Word) -> Result<ExitCode> {
    let client = site.client()?;
    let cluster = find::cluster_of(&args.service, &args.cluster);
    let name = ps::id(&args.service);
    let service = described(&client, cluster, name).await?;
    if service.scheduling_strategy == Some(ecs::SchedulingStrategy::Daemon) {
        daemon::carry_out(&client, cluster, name, &service, word).await?;
        return Ok(ExitCode::SUCCESS);
    }
    let arn = service.service_arn.clone().unwrap_or_default();
    let act = match word {
        Word::Stop => on_stop(&State::of(&service), name),
        Word::Start => on_start(&State::of(&service), name),
    };
    match act {
        Act::Nothing(why) => println!("{why}"),
        Act::Refuse(why) => bail!(why),
        Act::Stop(count) => {
            remember(&client, &arn, count).await?;
            scale(&client, cluster, name, 0).await?;
            println!("{name} stops its {}; `longshore start {name}` starts as many again", tasks(count));
        }
        Act::Start(count) => {
            scale(&client, cluster, name, count).await?;
            forget(&client, &arn).await?;
            println!("{name} starts {}", tasks(count));
        }
        Act::Forget => {
            forget(&client, &arn).await?;
            println!("{name} isn't stopped: {} wanted", are(service.desired_count.unwrap_or_default()));
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn described(client: &Client, cluster: &str, name: &str) -> Result<ecs::Service> {
    let request = ecs::DescribeServicesRequest {
        cluster: Some(cluster.to_owned()),
        services: vec![name.to_owned()],
        include: Some(vec![ecs::ServiceField::Tags]),
    };
    let found = client.call::<ops::DescribeServices>(&request).await?.services.into_iter().flatten().next();
    match found.filter(|service| service.status.as_deref() == Some("ACTIVE")) {
        Some(service) => Ok(service),
        None => bail!(
            "the cluster {cluster} has no service {name}; `aws ecs list-services --cluster {cluster}` names those it has"
        ),
    }
}

async fn scale(client: &Client, cluster: &str, name: &str, count: i32) -> Result<()> {
    let request = ecs::UpdateServiceRequest {
        cluster: Some(cluster.to_owned()),
        service: name.to_owned(),
        desired_count: Some(count),
        ..Default::default()
    };
    client.call::<ops::UpdateService>(&request).await?;
    Ok(())
}

async fn remember(client: &Client, arn: &str, count: i32) -> Result<()> {
    let tag = ecs::Tag { key: Some(COUNT.to_owned()), value: Some(count.to_string()) };
    let request = ecs::TagResourceRequest { resource_arn: arn.to_owned(), tags: vec![tag] };
    client.call::<ops::TagResource>(&request).await?;
    Ok(())
}

async fn forget(client: &Client, arn: &str) -> Result<()> {
    let request =
        ecs::UntagResourceRequest { resource_arn: arn.to_owned(), tag_keys: vec![COUNT.to_owned()] };
    client.call::<ops::UntagResource>(&request).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(desired: i32, tag: Option<&str>) -> State {
        State { desired, tag: tag.map(ToOwned::to_owned) }
    }

    #[test]
    fn what_was_stopped_comes_back_as_it_was() {
        assert_eq!(on_stop(&state(3, None), "web"), Act::Stop(3));
        assert_eq!(on_start(&state(0, Some("3")), "web"), Act::Start(3));
        // Broken off between the tag and the update, either way.
        assert_eq!(on_stop(&state(3, Some("3")), "web"), Act::Stop(3));
        assert_eq!(on_start(&state(3, Some("3")), "web"), Act::Forget);
        // Scaled by hand in between: the count is the newest one.
        assert_eq!(on_stop(&state(5, Some("3")), "web"), Act::Stop(5));
    }

    #[test]
    fn a_second_time_does_nothing_and_says_so() {
        let told = |act| match act {
            Act::Nothing(why) => why,
            other => panic!("{other:?}"),
        };
        let again = told(on_stop(&state(0, Some("1")), "web"));
        assert_eq!(again, "web is stopped; `longshore start web` starts 1 task again");
        assert_eq!(told(on_stop(&state(0, None), "web")), "web has no tasks to stop: its desired count is 0");
        assert_eq!(told(on_start(&state(2, None), "web")), "web isn't stopped: 2 tasks are wanted");
    }

    #[test]
    fn what_isn_t_known_is_not_guessed() {
        for tag in [None, Some(""), Some("x"), Some("0"), Some("-1")] {
            let Act::Refuse(why) = on_start(&state(0, tag), "web") else { panic!("{tag:?}") };
            assert!(why.contains("--desired-count N"), "{why}");
        }
    }
}
