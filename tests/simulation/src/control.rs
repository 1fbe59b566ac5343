//! The control plane: the writer on a memory store, which fails now and then, and the drivers of services, deadlines
//! and retries (`hooks.rs` has those of lifecycle hooks and lost machines). As `control/writer.rs` and `control/drivers`, without threads.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use anyhow::{Context, bail, ensure};
use model::{Command, Event, InstanceId, Refusal, ServiceKey, TaskStatus, Transaction, World};
use plan::{Memory, reconcile};
use store::{Batch, CommitError, Fault, Faulty, MemoryStore, Revision, Store};

use crate::episode::{Due, Episode};
use crate::letters::{Letter, ToAgent};
use crate::promises;
use crate::session::Session;

/// Most commands in one commit.
const GROUP: usize = 64;
/// How long stopped tasks and deleted services are remembered.
pub const RETENTION_MS: u64 = 600_000;
const SWEEP_MS: u64 = 60_000;
/// A step that couldn't be stored is tried again after this.
const RETRY_MS: u64 = 500;

/// Whom the outcome of a command concerns.
#[derive(Debug, Clone)]
pub enum Origin {
    Nobody,
    User,
    Step(ServiceKey),
    Run,
    /// More may be over than one plan forgets.
    Forget,
    Register(InstanceId),
    Connect(InstanceId, u64),
    Report(InstanceId, u64),
    Hook(Arc<str>),
    Leave(InstanceId, u64),
    Start,
}

pub struct Control {
    pub up: bool,
    pub world: World,
    store: Faulty<MemoryStore>,
    revision: Revision,
    inbox: VecDeque<(Command, Origin)>,
    pub sessions: BTreeMap<InstanceId, Session>,
    /// Sessions so far.
    pub opened: u64,
    now: BTreeSet<ServiceKey>,
    later: BTreeMap<ServiceKey, u64>,
    /// When deadlines and further attempts are looked at next.
    runs_at_ms: Option<u64>,
    /// When lifecycle hooks are looked at next, and those that are being asked.
    pub hooks_at_ms: Option<u64>,
    pub asked: BTreeSet<Arc<str>>,
    /// The services' scheduler waits for the commit of a step.
    busy: bool,
    /// Of that scheduler.
    memory: Memory,
    /// Processes before this one.
    pub life: u64,
}

impl Control {
    pub fn new() -> Control {
        Control {
            up: true,
            world: World::new(),
            store: Faulty::new(MemoryStore::new(), []),
            revision: Revision::default(),
            inbox: VecDeque::new(),
            sessions: BTreeMap::new(),
            opened: 0,
            now: BTreeSet::new(),
            later: BTreeMap::new(),
            runs_at_ms: None,
            hooks_at_ms: None,
            asked: BTreeSet::new(),
            busy: false,
            memory: Memory::default(),
            life: 0,
        }
    }

    /// What is stored, read as at a start.
    fn read(&self) -> anyhow::Result<(World, Revision)> {
        let snapshot = self.store.load()?;
        let pairs = snapshot.entries.iter().map(|entry| (entry.key.as_str(), entry.value.as_slice()));
        Ok((World::restore(pairs)?, snapshot.revision))
    }

    fn note_all(&mut self) {
        self.now.extend(self.world.all_services().map(|service| service.key.clone()));
    }
}

impl Episode {
    pub fn ask(&mut self, command: Command) {
        self.submit(command, Origin::Nobody);
    }

    pub fn submit(&mut self, command: Command, origin: Origin) {
        if !self.control.up {
            return;
        }
        if self.control.inbox.is_empty() {
            let in_ms = self.dice.rarely_up_to(0, self.weather.slowest_commit_ms);
            self.at(in_ms, Due::Commit);
        }
        self.control.inbox.push_back((command, origin));
    }

    /// Decides what is waiting and stores it. Answers come after that only.
    pub fn commit(&mut self) -> anyhow::Result<()> {
        let group: Vec<_> = {
            let inbox = &mut self.control.inbox;
            inbox.drain(..inbox.len().min(GROUP)).collect()
        };
        if group.is_empty() {
            return Ok(());
        }
        if !self.control.inbox.is_empty() {
            self.at(1, Due::Commit);
        }
        let before = self.control.world.clone();
        let mut decided = Transaction::on(&before);
        let outcomes: Vec<_> =
            group.iter().map(|(command, _)| decided.decide(command, self.now_ms)).collect();
        let (after, events) = decided.into_parts();
        self.check(&before, &after, &group, &outcomes, &events)?;
        let fault = self.fault();
        if let Some(fault) = fault {
            self.tally.count("commits that failed");
            self.control.store.fail_next(fault);
        }
        let mut batch = Batch::new();
        for (key, value) in model::changes(&after, &events) {
            match value {
                Some(value) => batch.put(key, value),
                None => batch.delete(key),
            };
        }
        match self.control.store.commit(self.control.revision, &batch) {
            Ok(revision) => {
                self.control.revision = revision;
                self.control.world = after;
            }
            Err(error) => {
                if !matches!(error, CommitError::Refused(_)) {
                    (self.control.world, self.control.revision) = self.control.read()?;
                    self.control.note_all();
                }
                for (_, origin) in group {
                    self.answer(origin, Err(None));
                }
                return self.drive();
            }
        }
        self.tally.count("commits");
        if !self.calm && self.weather.control_dies_every_ms > 0 && self.dice.chance(1) && self.dice.chance(10)
        {
            // Stored, and nobody hears of it.
            self.tally.count("deaths between commit and answer");
            self.control_dies();
            return Ok(());
        }
        for ((_, origin), outcome) in group.into_iter().zip(outcomes) {
            self.answer(origin, outcome.map(|_| ()).map_err(Some));
        }
        self.wake(&events);
        self.drive()
    }

    fn fault(&mut self) -> Option<Fault> {
        let fails = !self.calm && self.dice.chance(self.weather.bad_commits);
        fails.then(|| self.dice.pick(&[Fault::Refuse, Fault::LoseRequest, Fault::LoseAnswer])).flatten()
    }

    /// Each command by itself, then all that was decided as one.
    fn check(
        &mut self,
        before: &World,
        after: &World,
        group: &[(Command, Origin)],
        outcomes: &[Result<std::ops::Range<usize>, Refusal>],
        events: &[Event],
    ) -> anyhow::Result<()> {
        let mut world = before.clone();
        for ((command, _), outcome) in group.iter().zip(outcomes) {
            let Ok(own) = outcome else { continue };
            let earlier = world.clone();
            events[own.clone()].iter().for_each(|event| world.evolve(event));
            if let Command::ServiceStep(step) = command {
                promises::of_step(&earlier, &world, step, self.now_ms).with_context(|| {
                    format!("a step with {} starts and {} stops", step.starts.len(), step.stops.len())
                })?;
            }
            self.tally_events(&events[own.clone()]);
        }
        promises::of_commit(before, after, events, self.now_ms)?;
        // Looking at all of it takes longer than all else together.
        if self.dice.chance(2) && world != *after {
            bail!("the events taken in one by one don't give the world that was decided");
        }
        Ok(())
    }

    fn tally_events(&mut self, events: &[Event]) {
        for event in events {
            self.tally.count(match event {
                Event::TaskCreated(task) if task.service.is_some() => "tasks of services started",
                Event::TaskCreated(_) => "other tasks started",
                Event::TaskMoved { status: TaskStatus::Running, .. } => "tasks RUNNING",
                Event::TaskMoved { status: TaskStatus::Stopped, .. } => "tasks STOPPED",
                Event::TaskRunChanged { run, .. } if run.timed_out => "deadlines",
                Event::TaskRunChanged { run, .. } if run.next.is_some() => "further attempts",
                Event::TaskForgotten { .. } => "tasks forgotten",
                Event::InstanceUpdated(instance) if instance.lost => "machines lost",
                Event::ServiceDeploymentRecorded(record) if record.rollback.is_some() => "rollbacks",
                Event::ServiceDeploymentRecorded(record) if record.status.is_over() => "deployments over",
                Event::ServiceDeploymentRecorded(_) => "deployments begun or changed",
                _ => continue,
            });
        }
    }

    fn answer(&mut self, origin: Origin, outcome: Result<(), Option<Refusal>>) {
        match (origin, outcome) {
            (Origin::Step(key), outcome) => {
                self.control.busy = false;
                match outcome {
                    Ok(()) => {}
                    Err(Some(Refusal::StaleSnapshot(_))) => {
                        self.tally.count("stale plans");
                        self.look_later(key, self.now_ms);
                    }
                    Err(None) => self.look_later(key, self.now_ms + RETRY_MS),
                    Err(Some(_)) => self.tally.count("steps refused"),
                }
            }
            (Origin::Run, Err(_)) => self.look_at_runs_in(1_000),
            (Origin::Forget, Ok(())) => self.forget(),
            (Origin::Register(id), Ok(())) => self.reply(id, ToAgent::Registered),
            (Origin::Register(id) | Origin::Connect(id, _), Err(Some(Refusal::InstanceInactive(_)))) => {
                self.reply(id, ToAgent::Inactive);
            }
            (Origin::Connect(id, session), Ok(())) => self.open_session(id, session),
            // Refused for good (the task is forgotten) or taken: the agent needn't say it again.
            (Origin::Report(id, attempt), Ok(()) | Err(Some(_))) => {
                self.reply(id, ToAgent::Taken { attempt });
            }
            // What wasn't stored is asked again.
            (Origin::Hook(run), _) => {
                self.control.asked.remove(&run);
                self.look_at_hooks_in(0);
            }
            (Origin::Leave(instance, session), Err(None)) => {
                self.at(1_000, Due::Leave { instance, session, life: self.control.life });
            }
            // It doesn't come up.
            (Origin::Start, Err(None)) => self.control_dies(),
            (Origin::User, Ok(())) => self.tally.count("orders carried out"),
            (Origin::User, Err(_)) => self.tally.count("orders refused"),
            _ => {}
        }
    }

    /// Outside of any session.
    fn reply(&mut self, to: InstanceId, say: ToAgent) {
        self.post(Letter::Down { to, session: 0, say });
    }

    fn wake(&mut self, events: &[Event]) {
        self.control.now.extend(reconcile::concerned(&self.control.world, events));
        let runs = |event: &Event| match event {
            Event::TaskCreated(task) => task.run.is_some(),
            Event::TaskMoved { task, status: TaskStatus::Stopped, .. } => {
                self.control.world.task(*task).is_some_and(|task| task.run.is_some())
            }
            Event::TaskRunChanged { .. } => true,
            _ => false,
        };
        if events.iter().any(runs) {
            self.look_at_runs_in(0);
        }
        let staged = |event: &Event| match event {
            Event::ServiceCreated(service)
            | Event::ServiceUpdated(service)
            | Event::ServiceStepped(service) => service.stage().is_some(),
            _ => false,
        };
        if events.iter().any(staged) {
            self.look_at_hooks_in(0);
        }
        let instances: Vec<InstanceId> = self.control.sessions.keys().copied().collect();
        for instance in instances {
            self.send_due(instance);
        }
    }

    fn look_later(&mut self, key: ServiceKey, at_ms: u64) {
        self.control.later.insert(key, at_ms);
        self.at(at_ms.saturating_sub(self.now_ms), Due::Look);
    }

    /// Looks at the services that are due, one after the other: the next after the commit of the one's step.
    pub fn drive(&mut self) -> anyhow::Result<()> {
        let now_ms = self.now_ms;
        let due = self.control.later.iter().filter(|(_, at_ms)| **at_ms <= now_ms);
        let due: Vec<ServiceKey> = due.map(|(key, _)| key.clone()).collect();
        self.control.now.extend(due);
        while self.control.up && !self.control.busy {
            let Some(key) = self.control.now.pop_first() else { return Ok(()) };
            self.control.later.remove(&key);
            let seed = self.dice.id();
            let world = self.control.world.clone();
            let memory = &mut self.control.memory;
            let Some(plan) = reconcile::remembering(memory, &world, &key, now_ms, seed) else { continue };
            self.tally.count("plans");
            if self.dice.chance(1) && reconcile::service(&world, &key, now_ms, seed).as_ref() != Some(&plan) {
                bail!("a plan that remembers others differs from one that doesn't: {plan:?}");
            }
            if let Some(at_ms) = plan.wake_at_ms {
                self.look_later(key.clone(), at_ms);
            }
            if let Some(step) = plan.step {
                self.control.busy = true;
                self.submit(Command::ServiceStep(step.into()), Origin::Step(key));
            }
        }
        Ok(())
    }

    /// Of several times to look again the first counts.
    pub fn look_at_runs_in(&mut self, in_ms: u64) {
        let at_ms = self.now_ms + in_ms;
        if self.control.runs_at_ms.is_none_or(|known| known > at_ms) {
            self.control.runs_at_ms = Some(at_ms);
            self.at(in_ms, Due::Runs);
        }
    }

    pub fn look_at_runs(&mut self) {
        if !self.control.up || self.control.runs_at_ms.is_none_or(|at_ms| at_ms > self.now_ms) {
            return;
        }
        self.control.runs_at_ms = None;
        let seed = self.dice.id();
        let plan = plan::runs(&self.control.world, self.now_ms, seed);
        if let Some(at_ms) = plan.wake_at_ms {
            self.look_at_runs_in(at_ms.saturating_sub(self.now_ms).min(SWEEP_MS));
        }
        for command in plan.commands {
            self.submit(command, Origin::Run);
        }
    }

    pub fn sweep(&mut self) -> anyhow::Result<()> {
        self.at(SWEEP_MS, Due::Sweep);
        if !self.control.up {
            return Ok(());
        }
        self.control.note_all();
        self.look_at_runs_in(0);
        self.look_at_hooks_in(0);
        self.forget();
        self.drive()
    }

    fn forget(&mut self) {
        let over = plan::reap(&self.control.world, self.now_ms, RETENTION_MS);
        if !over.is_empty() {
            self.submit(Command::Forget(over), Origin::Forget);
        }
    }

    pub fn control_dies(&mut self) {
        if !self.control.up {
            return;
        }
        self.tally.count("deaths of the control plane");
        let control = &mut self.control;
        control.up = false;
        control.busy = false;
        control.memory = Memory::default();
        control.inbox.clear();
        control.now.clear();
        control.later.clear();
        control.runs_at_ms = None;
        control.hooks_at_ms = None;
        control.asked.clear();
        control.life += 1;
        let sessions = std::mem::take(&mut control.sessions);
        for (instance, session) in sessions {
            self.agent_loses_session(instance, session.number);
        }
        let in_ms = self.dice.rarely_up_to(100, 30_000);
        self.at(in_ms, Due::ControlStarts);
    }

    /// What is stored is what was known.
    pub fn control_starts(&mut self) -> anyhow::Result<()> {
        if self.control.up {
            return Ok(());
        }
        let (world, revision) = self.control.read()?;
        if world != self.control.world || revision != self.control.revision {
            bail!("what was read at the start isn't what was committed");
        }
        self.control.world = world;
        self.control.up = true;
        self.submit(Command::DropSessions, Origin::Start);
        self.sweep_once();
        Ok(())
    }

    fn sweep_once(&mut self) {
        self.control.note_all();
        self.at(0, Due::Look);
        self.look_at_runs_in(0);
        self.look_at_hooks_in(0);
    }

    /// The store holds what is known, no more and no less.
    pub fn stored_is_known(&self) -> anyhow::Result<()> {
        let (world, _) = self.control.read()?;
        ensure!(world == self.control.world, "what is stored isn't what is known");
        Ok(())
    }
}
