//! A daemon without tasks for a while: no instance meets a placement constraint that it is given.

use anyhow::Result;
use wire::ecs::{self, PlacementConstraint, PlacementConstraintType, ops};

use super::Word;
use crate::talk::Client;

/// No instance has this attribute unless somebody gives it to one.
const NOWHERE: &str = "attribute:longshore.stopped exists";

pub(super) async fn carry_out(
    client: &Client,
    cluster: &str,
    name: &str,
    service: &ecs::Service,
    word: Word,
) -> Result<()> {
    let present = service.placement_constraints.clone().unwrap_or_default();
    match (word, changed(present, word)) {
        (Word::Stop, None) => {
            println!("{name} is stopped; `longshore start {name}` starts a task on each instance again");
        }
        (Word::Start, None) => println!("{name} isn't stopped"),
        (Word::Stop, Some(constraints)) => {
            constrain(client, cluster, name, constraints).await?;
            println!("{name} stops its tasks; `longshore start {name}` starts one on each instance again");
        }
        (Word::Start, Some(constraints)) => {
            constrain(client, cluster, name, constraints).await?;
            println!("{name} starts a task on each instance");
        }
    }
    Ok(())
}

/// `None` where nothing is to be changed.
fn changed(mut constraints: Vec<PlacementConstraint>, word: Word) -> Option<Vec<PlacementConstraint>> {
    let nowhere = PlacementConstraint {
        r#type: Some(PlacementConstraintType::MemberOf),
        expression: Some(NOWHERE.to_owned()),
    };
    match (constraints.contains(&nowhere), word) {
        (true, Word::Stop) | (false, Word::Start) => return None,
        (true, Word::Start) => constraints.retain(|constraint| *constraint != nowhere),
        (false, Word::Stop) => constraints.push(nowhere),
    }
    Some(constraints)
}

async fn constrain(
    client: &Client,
    cluster: &str,
    name: &str,
    constraints: Vec<PlacementConstraint>,
) -> Result<()> {
    let request = ecs::UpdateServiceRequest {
        cluster: Some(cluster.to_owned()),
        service: name.to_owned(),
        placement_constraints: Some(constraints),
        ..Default::default()
    };
    client.call::<ops::UpdateService>(&request).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_asked_for_before_stays() {
        let own = PlacementConstraint {
            r#type: Some(PlacementConstraintType::MemberOf),
            expression: Some("attribute:rack == r1".to_owned()),
        };
        let stopped = changed(vec![own.clone()], Word::Stop).unwrap();
        assert_eq!(stopped.len(), 2);
        assert_eq!(changed(stopped.clone(), Word::Stop), None);
        assert_eq!(changed(stopped, Word::Start), Some(vec![own.clone()]));
        assert_eq!(changed(vec![own], Word::Start), None);
    }
}
