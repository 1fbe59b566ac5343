//! A machine with its agent: it does what it is told, in its own time, and says what became of it until somebody
//! confirms to have heard it. What it knows of its tasks and has to say survives its process; its containers do too,
//! but not the machine.

mod trouble;

use std::collections::{BTreeMap, VecDeque};

use model::command::Registration;
use model::{DesiredStatus, Family, Health, InstanceId, TaskId};

use crate::episode::{Due, Episode};
use crate::letters::{End, Letter, Report, ToAgent, ToControl, Told};
use crate::site::{self, Manners};

/// Until a report without an answer is made again.
const ANSWER_MS: u64 = 6_000;
const HEALTH_EVERY_MS: u64 = 20_000;
const KILLED_AFTER_MS: u64 = 30_000;

#[derive(Debug)]
pub struct Machine {
    pub registration: Registration,
    pub on: bool,
    /// The agent's process is there, and how many there were before.
    pub up: bool,
    life: u64,
    /// How often the machine was started.
    boot: u64,
    pub linked: bool,
    /// It never comes back, and nobody says so.
    pub gone: bool,
    registered: bool,
    /// It was told that it isn't an instance any more.
    pub inactive: bool,
    pub session: Option<u64>,
    held: BTreeMap<TaskId, Held>,
    /// Ended, with what was or is to be said of it.
    over: BTreeMap<TaskId, Report>,
    to_say: VecDeque<Report>,
    /// The report that waits for its answer.
    attempt: Option<u64>,
    attempts: u64,
    /// The session that was last written in, and when its last letter arrives, up and down.
    written: u64,
    up_ms: u64,
    down_ms: u64,
}

#[derive(Debug, Clone)]
struct Held {
    manners: Manners,
    desired: DesiredStatus,
    phase: Phase,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Pulling,
    Starting,
    Running,
}

#[derive(Debug, Clone)]
pub enum Moment {
    Pulled,
    Started,
    Checked(Health),
    Ended(End),
}

impl Machine {
    pub fn new(registration: Registration) -> Machine {
        Machine {
            registration,
            on: true,
            up: true,
            life: 0,
            boot: 0,
            linked: true,
            gone: false,
            registered: false,
            inactive: false,
            session: None,
            held: BTreeMap::new(),
            over: BTreeMap::new(),
            to_say: VecDeque::new(),
            attempt: None,
            attempts: 0,
            written: 0,
            up_ms: 0,
            down_ms: 0,
        }
    }

    pub fn is_linked(&self) -> bool {
        self.on && self.up && self.linked
    }

    pub fn last_arrival(&mut self, letter: &Letter) -> &mut u64 {
        let (Letter::Up { session, .. } | Letter::Down { session, .. }) = letter;
        if self.written != *session {
            (self.written, self.up_ms, self.down_ms) = (*session, 0, 0);
        }
        match letter {
            Letter::Up { .. } => &mut self.up_ms,
            Letter::Down { .. } => &mut self.down_ms,
        }
    }

    /// Tasks that have neither ended nor been given up.
    pub fn holds(&self) -> impl Iterator<Item = TaskId> {
        self.held.keys().copied()
    }
}

impl Episode {
    fn machine(&mut self, id: InstanceId) -> &mut Machine {
        self.machines.get_mut(&id).expect("machines stay in the list also when they are gone")
    }

    /// Without a session: registers, then connects, again and again.
    pub fn knock(&mut self, id: InstanceId, life: u64) {
        let machine = self.machine(id);
        let away = !machine.on || !machine.up || machine.life != life;
        if away || machine.inactive || machine.session.is_some() {
            return;
        }
        let say = if machine.registered { ToControl::Connect } else { ToControl::Register };
        self.post(Letter::Up { from: id, session: 0, say });
        let in_ms = self.dice.between(1_000, 5_000);
        self.at(in_ms, Due::Knock { instance: id, life });
    }

    /// A letter reaches the agent.
    pub fn obey(&mut self, id: InstanceId, session: u64, say: ToAgent) {
        let machine = self.machine(id);
        if !machine.is_linked() {
            return;
        }
        if session > 0 {
            if machine.session.is_some_and(|known| known > session) {
                return;
            }
            machine.session = Some(session);
        }
        match say {
            ToAgent::Registered => {
                let life = machine.life;
                machine.registered = true;
                self.knock(id, life);
            }
            ToAgent::Inactive => machine.inactive = true,
            ToAgent::Manifest(wanted) => {
                let held = machine.held.iter().filter(|(_, held)| held.desired == DesiredStatus::Running);
                let candidates: Vec<TaskId> =
                    held.map(|(task, _)| *task).filter(|task| !wanted.contains(task)).collect();
                if !candidates.is_empty() {
                    self.post(Letter::Up { from: id, session, say: ToControl::Candidates(candidates) });
                }
                self.say(id);
            }
            ToAgent::Payload { message, tasks } => {
                tasks.into_iter().for_each(|told| self.take(id, told));
                self.post(Letter::Up { from: id, session, say: ToControl::Acknowledge { message } });
            }
            ToAgent::StopThese(tasks) => tasks.into_iter().for_each(|task| self.stop(id, task)),
            ToAgent::Taken { attempt } => {
                if machine.attempt == Some(attempt) {
                    machine.attempt = None;
                    machine.to_say.pop_front();
                    self.say(id);
                }
            }
        }
    }

    /// A task of a payload, which may have come before.
    fn take(&mut self, id: InstanceId, told: Told) {
        let machine = self.machine(id);
        if let Some(report) = machine.over.get(&told.task) {
            let report = report.clone();
            return self.tell(id, report);
        }
        match (machine.held.contains_key(&told.task), told.desired) {
            (true, DesiredStatus::Running) => {}
            (true, DesiredStatus::Stopped) => self.stop(id, told.task),
            (false, DesiredStatus::Running) => self.begin_task(id, told.task, &told.family),
            (false, DesiredStatus::Stopped) => {
                let end = End { code: None, reason: Some("it never came here"), ran: false };
                self.is_over(id, told.task, end);
            }
        }
    }

    fn begin_task(&mut self, id: InstanceId, task: TaskId, family: &Family) {
        let mut manners = site::manners(family.as_str());
        if self.calm {
            manners = Manners { unstartable: 0, hangs: 0, crashes: 0, falls_ill: 0, ..manners };
        }
        let held = Held { manners, desired: DesiredStatus::Running, phase: Phase::Pulling };
        self.machine(id).held.insert(task, held);
        let slow = !self.calm && self.dice.chance(self.weather.slow_images);
        let in_ms = match slow {
            true => self.dice.between(100, self.weather.slowest_image_ms),
            false => self.dice.between(1, 30),
        };
        self.moment(id, task, in_ms, Moment::Pulled);
    }

    fn moment(&mut self, instance: InstanceId, task: TaskId, in_ms: u64, moment: Moment) {
        let boot = self.machine(instance).boot;
        self.at(in_ms, Due::Moment { instance, boot, task, moment });
    }

    fn stop(&mut self, id: InstanceId, task: TaskId) {
        let Some(held) = self.machine(id).held.get_mut(&task) else { return };
        if held.desired == DesiredStatus::Stopped {
            return;
        }
        held.desired = DesiredStatus::Stopped;
        let Held { manners, phase, .. } = *held;
        let ran = phase == Phase::Running;
        let in_ms = match (ran, manners.stubborn) {
            (true, true) => KILLED_AFTER_MS,
            (true, false) => self.dice.rarely_up_to(1, 5_000),
            (false, _) => self.dice.between(1, 50),
        };
        let code = ran.then_some(if manners.stubborn { 137 } else { 143 });
        self.moment(id, task, in_ms, Moment::Ended(End { code, reason: None, ran }));
    }

    /// Containers need no agent to run and to end; everything else waits for it.
    pub fn come_about(
        &mut self,
        id: InstanceId,
        boot: u64,
        task: TaskId,
        moment: Moment,
    ) -> anyhow::Result<()> {
        let machine = self.machine(id);
        let (on, up, now_boot) = (machine.on, machine.up, machine.boot);
        let Some(held) = machine.held.get_mut(&task).filter(|_| on && boot == now_boot) else {
            return Ok(());
        };
        let wanted = held.desired == DesiredStatus::Running;
        match (moment, held.phase) {
            (Moment::Pulled, Phase::Pulling) if up && wanted => {
                let manners = held.manners;
                if !self.calm && self.dice.chance(manners.unstartable) {
                    let end = End { code: None, reason: Some("CannotPullContainerError"), ran: false };
                    self.is_over(id, task, end);
                    return Ok(());
                }
                self.machine(id).held.entry(task).and_modify(|held| held.phase = Phase::Starting);
                if self.calm || !self.dice.chance(manners.hangs) {
                    let in_ms = self.dice.rarely_up_to(2, 300);
                    self.moment(id, task, in_ms, Moment::Started);
                }
            }
            (Moment::Started, Phase::Starting) if up && wanted => {
                held.phase = Phase::Running;
                let manners = held.manners;
                self.truth.starts(task, id)?;
                self.tell(id, Report { task, ended: None });
                self.foresee(id, task, manners);
            }
            (Moment::Checked(health), Phase::Running) => {
                if up && self.machine(id).session.is_some() {
                    self.post(Letter::Up { from: id, session: 0, say: ToControl::Health(task, health) });
                }
                self.moment(id, task, HEALTH_EVERY_MS, Moment::Checked(health));
            }
            (Moment::Ended(end), Phase::Running) => {
                self.truth.ends(task);
                self.is_over(id, task, end);
            }
            // It was started before it could be stopped, or is stopped before it could start.
            (Moment::Ended(end), _) => self.is_over(id, task, End { code: None, ran: false, ..end }),
            _ => {}
        }
        Ok(())
    }

    /// What a task will come to if nobody stops it.
    fn foresee(&mut self, id: InstanceId, task: TaskId, manners: Manners) {
        let later = self.dice.rarely_up_to(50, 60_000);
        if self.dice.chance(manners.crashes) {
            let end = End { code: Some(1), reason: None, ran: true };
            return self.moment(id, task, later, Moment::Ended(end));
        }
        if manners.ends && !self.calm {
            let end = End { code: Some(0), reason: None, ran: true };
            return self.moment(id, task, later, Moment::Ended(end));
        }
        if manners.checked {
            let ill = self.dice.chance(manners.falls_ill);
            let health = if ill { Health::Unhealthy } else { Health::Healthy };
            let in_ms = self.dice.rarely_up_to(200, 10_000);
            self.moment(id, task, in_ms, Moment::Checked(health));
        }
    }

    fn is_over(&mut self, id: InstanceId, task: TaskId, end: End) {
        let report = Report { task, ended: Some(end) };
        let machine = self.machine(id);
        machine.held.remove(&task);
        machine.over.insert(task, report.clone());
        self.tell(id, report);
    }

    fn tell(&mut self, id: InstanceId, report: Report) {
        self.machine(id).to_say.push_back(report);
        self.say(id);
    }

    /// One report at a time, in their order.
    fn say(&mut self, id: InstanceId) {
        let machine = self.machine(id);
        if !machine.is_linked() || machine.attempt.is_some() || machine.inactive {
            return;
        }
        let Some(report) = machine.to_say.front().cloned() else { return };
        machine.attempts += 1;
        let (attempt, life) = (machine.attempts, machine.life);
        machine.attempt = Some(attempt);
        self.post(Letter::Up { from: id, session: 0, say: ToControl::Report { attempt, report } });
        self.at(ANSWER_MS, Due::NoAnswer { instance: id, life, attempt });
    }

    pub fn ask_again(&mut self, id: InstanceId, life: u64, attempt: u64) {
        let machine = self.machine(id);
        if machine.life == life && machine.attempt == Some(attempt) {
            machine.attempt = None;
            self.say(id);
        }
    }

    /// Its connection is gone: it finds out, and knocks again.
    pub fn agent_loses_session(&mut self, id: InstanceId, session: u64) {
        let machine = self.machine(id);
        if machine.session == Some(session) {
            machine.session = None;
            let life = machine.life;
            self.at(1_000, Due::Knock { instance: id, life });
        }
    }
}
