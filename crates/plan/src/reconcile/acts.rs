//! What starts now and what stops, for each way in which a service can be deployed.

use super::{
    Counts, PLACE_AGAIN_MS, Planner, STARTS_PER_STEP, StopReason, Wait, census::Census, daemon, pick,
    rolling, stages, start, throttle,
};
use crate::{
    Ids, Want,
    schedule::{self, Failure, Placement, Rules, Shares},
};
use model::{Deployment, InstanceId, Lifecycle, Stage, Task, TaskId, command::NewTask};
use std::{collections::BTreeSet, sync::Arc};

#[derive(Default)]
pub(super) struct Acts {
    pub starts: Vec<NewTask>,
    /// What has no place.
    pub failures: Vec<Failure>,
    pub stops: Vec<(TaskId, StopReason)>,
    pub wait: Option<Wait>,
    pub wake_at_ms: Option<u64>,
}

impl Acts {
    pub(super) fn join(&mut self, other: Acts) {
        self.starts.extend(other.starts);
        self.failures.extend(other.failures);
        self.stops.extend(other.stops);
        self.wait = self.wait.or(other.wait);
        self.wake_at_ms = self.wake_at_ms.into_iter().chain(other.wake_at_ms).min();
    }
}

impl Planner<'_> {
    pub(super) fn acts(&self, ids: &mut Ids, primary: &Deployment, held_back: bool) -> Acts {
        match (&primary.lifecycle, &self.members) {
            (Some(lifecycle), _) if stages::side_by_side(primary) => {
                self.beside(ids, primary, lifecycle, held_back)
            }
            (Some(lifecycle), _) if stages::is_held(lifecycle) => self.as_before(ids, lifecycle),
            (_, Some(members)) => self.daemons(ids, primary, members, held_back),
            (_, None) => self.replicas(ids, primary, &self.census, held_back),
        }
    }

    fn replicas(&self, ids: &mut Ids, deployment: &Deployment, census: &Census<'_>, held_back: bool) -> Acts {
        let counts = census.counts(held_back);
        let mut moves = rolling::moves(counts);
        let present = census.good().filter_map(|task| task.capacity_provider.as_deref());
        let mut shares = Shares::new(&deployment.capacity_strategy, present);
        let wants: Vec<Want> =
            (0..moves.start.min(STARTS_PER_STEP)).map(|_| self.want(deployment, shares.give())).collect();
        let rules = self.rules(deployment);
        let placement = self.memory.borrow_mut().place(self.world, &wants, &rules, self.seed);
        let unplaced = placement.failures.len() as u32;
        if unplaced > 0 {
            // Without room for the new, room has to come from the old, as far as the bounds let it.
            moves = rolling::moves(Counts { no_room_for: unplaced, ..counts });
        }
        let stops = pick::stops(census, moves);
        let acts = self.placed(ids, deployment, &wants, placement);
        let wake_at_ms = acts.wake_at_ms.into_iter().chain(census.grace_ends_ms).min();
        Acts { stops, wait: moves.wait, wake_at_ms, ..acts }
    }

    fn daemons(
        &self,
        ids: &mut Ids,
        primary: &Deployment,
        members: &BTreeSet<InstanceId>,
        held_back: bool,
    ) -> Acts {
        let moves = daemon::moves(&self.census, members, self.census.counts(held_back));
        let to: Vec<InstanceId> = moves.starts.into_iter().take(STARTS_PER_STEP as usize).collect();
        let want = self.want(primary, None);
        let placement = schedule::place_on(self.world, &want, &self.rules(primary), &to);
        let acts = self.placed(ids, primary, &vec![want; to.len()], placement);
        let wake_at_ms = acts.wake_at_ms.into_iter().chain(self.census.grace_ends_ms).min();
        Acts { stops: moves.stops, wait: moves.wait, wake_at_ms, ..acts }
    }

    /// The old revision is what the service runs, until it may be replaced.
    fn as_before(&self, ids: &mut Ids, lifecycle: &Lifecycle) -> Acts {
        let from = lifecycle.from.as_ref().and_then(|id| self.service.deployment(id));
        let Some(from) = from else { return Acts::default() };
        let census = Census::toward(self.world, self.service, from, self.now_ms);
        let throttled_until = throttle::until_ms(from).filter(|until_ms| *until_ms > self.now_ms);
        let acts = self.replicas(ids, from, &census, throttled_until.is_some());
        Acts { wake_at_ms: acts.wake_at_ms.into_iter().chain(throttled_until).min(), ..acts }
    }

    /// The new revision comes up beside the old one, which is kept as it is. What is of neither goes.
    fn beside(&self, ids: &mut Ids, primary: &Deployment, lifecycle: &Lifecycle, held_back: bool) -> Acts {
        let desired = if lifecycle.stage < Stage::ScaleUp { 0 } else { self.service.desired_count };
        let mut acts = self.alone(ids, primary, desired, held_back);
        let Some(from) = lifecycle.from.as_ref().and_then(|id| self.service.deployment(id)) else {
            return acts;
        };
        if lifecycle.back_from.is_none() {
            let throttled = throttle::until_ms(from).is_some_and(|until_ms| until_ms > self.now_ms);
            // Two placements of one step don't know of each other.
            let held_back = throttled || !acts.starts.is_empty();
            acts.join(self.alone(ids, from, self.service.desired_count, held_back));
        }
        let spare = self.spare(acts.stops.len());
        let of_neither = |task: &&Task| {
            ![Some(&primary.id), Some(&from.id)].contains(&task.deployment.as_ref())
                && self.census.may_stop(task)
        };
        let (healthy, idle): (Vec<&Task>, Vec<&Task>) =
            self.census.wanted().filter(of_neither).partition(|task| task.is_healthy());
        let going = idle.into_iter().chain(pick::first(&self.census, healthy, spare));
        acts.stops.extend(going.map(|task| (task.id, StopReason::Superseded)));
        acts
    }

    /// How many healthy tasks may stop, whatever they are of.
    fn spare(&self, stopping: usize) -> u32 {
        let healthy = self.census.wanted().filter(|task| task.is_healthy()).count().saturating_sub(stopping);
        (healthy as u32).saturating_sub(self.census.counts(false).lower_bound())
    }

    /// As if the service had no other deployment.
    pub(super) fn alone(
        &self,
        ids: &mut Ids,
        deployment: &Deployment,
        desired: u32,
        held_back: bool,
    ) -> Acts {
        let census = Census::of(self.world, self.service, deployment, desired, self.now_ms);
        self.replicas(ids, deployment, &census, held_back)
    }

    fn placed(&self, ids: &mut Ids, deployment: &Deployment, wants: &[Want], placement: Placement) -> Acts {
        let start = |placed: &schedule::Placed| {
            let provider = wants[placed.want].capacity_provider.clone();
            start::task(self.world, self.service, deployment, ids.task(), placed.instance, provider)
        };
        let starts = placement.placed.iter().filter_map(start).collect();
        let wake_at_ms = (!placement.failures.is_empty()).then_some(self.now_ms + PLACE_AGAIN_MS);
        Acts { starts, failures: placement.failures, wake_at_ms, ..Acts::default() }
    }

    fn rules(&self, deployment: &Deployment) -> Rules {
        let service = self.service;
        Rules {
            group: Some((service.key.cluster.clone(), start::group(service))),
            deployment: Some(deployment.id.clone()),
            ..Rules::of(&service.placement_constraints, &service.placement_strategy)
        }
    }

    fn want(&self, deployment: &Deployment, capacity_provider: Option<Arc<str>>) -> Want {
        Want {
            cluster: self.service.key.cluster.clone(),
            definition: deployment.definition.clone(),
            launch_type: deployment.launch_type,
            size: None,
            gpus: None,
            capacity_provider,
        }
    }
}
