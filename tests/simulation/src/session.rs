//! The control plane's end of an agent's session: what it has sent and must send next.

use std::collections::BTreeMap;

use model::command::Command;
use model::{DesiredStatus, InstanceId, TaskId};

use crate::control::Origin;
use crate::episode::{Due, Episode};
use crate::letters::{Letter, Report, ToAgent, ToControl, Told};

const PAYLOAD_TASKS: usize = 10;
/// A payload that isn't acknowledged by then is sent again.
const RESEND_MS: u64 = 15_000;
/// An agent that has said nothing for so long is gone.
pub const SILENCE_MS: u64 = 95_000;

#[derive(Debug)]
pub struct Session {
    pub number: u64,
    open: bool,
    started: bool,
    sent: BTreeMap<u64, (u64, Vec<(TaskId, DesiredStatus)>)>,
    messages: u64,
}

impl Episode {
    /// A letter reaches the control plane.
    pub fn hear(&mut self, from: InstanceId, session: u64, say: ToControl) {
        if !self.control.up {
            return;
        }
        let known = self.control.sessions.get(&from).is_some_and(|known| known.number == session);
        match say {
            ToControl::Register => {
                let registration = self.machines[&from].registration.clone();
                self.submit(Command::RegisterInstance(registration.into()), Origin::Register(from));
            }
            ToControl::Connect => self.connect(from),
            ToControl::Report { attempt, report } => {
                let Report { task, .. } = report;
                let command =
                    Command::ReportTask { cluster: crate::site::cluster(), task, report: report.said() };
                self.submit(command, Origin::Report(from, attempt));
            }
            ToControl::Health(task, health) => {
                self.ask(Command::ReportHealth { task, containers: vec![("app".into(), health)] });
            }
            ToControl::Acknowledge { message } if known => {
                let sent = self.control.sessions.get_mut(&from).and_then(|known| known.sent.remove(&message));
                if let Some((_, tasks)) = sent {
                    self.ask(Command::AcknowledgePayload { instance: from, tasks });
                }
            }
            ToControl::Candidates(tasks) if known => {
                let world = &self.control.world;
                let wanted = |id: &TaskId| {
                    world.task(*id).is_some_and(|task| task.is_wanted() && task.instance == from)
                };
                let unwanted: Vec<TaskId> = tasks.into_iter().filter(|id| !wanted(id)).collect();
                self.post(Letter::Down { to: from, session, say: ToAgent::StopThese(unwanted) });
            }
            ToControl::Acknowledge { .. } | ToControl::Candidates(_) => {}
        }
    }

    /// The newest connection of an instance takes over.
    fn connect(&mut self, id: InstanceId) {
        self.control.opened += 1;
        let number = self.control.opened;
        let session = Session { number, open: false, started: false, sent: BTreeMap::new(), messages: 0 };
        if let Some(old) = self.control.sessions.insert(id, session) {
            self.agent_loses_session(id, old.number);
        }
        self.submit(Command::SetAgentConnected { id, connected: true }, Origin::Connect(id, number));
    }

    pub fn open_session(&mut self, id: InstanceId, number: u64) {
        let Some(session) = self.control.sessions.get_mut(&id).filter(|s| s.number == number) else { return };
        session.open = true;
        self.tally.count("sessions");
        let wanted = self.control.world.live_tasks_on(id).filter(|task| task.is_wanted());
        let manifest = ToAgent::Manifest(wanted.map(|task| task.id).collect());
        self.post(Letter::Down { to: id, session: number, say: manifest });
        self.send_due(id);
        self.doubt(id, SILENCE_MS);
    }

    /// A session may be at its end: a link that is cut says nothing, and is found out by its silence.
    pub fn doubt(&mut self, instance: InstanceId, in_ms: u64) {
        if let Some(session) = self.control.sessions.get(&instance).map(|session| session.number) {
            self.at(in_ms, Due::Silent { instance, session });
        }
    }

    pub fn end_session(&mut self, instance: InstanceId, session: u64) {
        if self.control.sessions.get(&instance).is_none_or(|known| known.number != session) {
            return;
        }
        let machine = &self.machines[&instance];
        if machine.is_linked() && machine.session == Some(session) {
            return;
        }
        self.control.sessions.remove(&instance);
        self.agent_loses_session(instance, session);
        self.ask(Command::SetAgentConnected { id: instance, connected: false });
    }

    /// At the start of a session everything that lives there, since nobody knows what the agent remembers; later what
    /// the world says is unacknowledged.
    pub fn send_due(&mut self, instance: InstanceId) {
        let now_ms = self.now_ms;
        let control = &mut self.control;
        let Some(session) = control.sessions.get_mut(&instance).filter(|session| session.open) else {
            return;
        };
        session.sent.retain(|_, (at_ms, _)| *at_ms + RESEND_MS > now_ms);
        let told = |task: &std::sync::Arc<model::Task>| Told {
            task: task.id,
            family: task.definition.family.clone(),
            desired: task.desired_status,
        };
        let due: Vec<Told> = if std::mem::replace(&mut session.started, true) {
            let under_way: Vec<_> = session.sent.values().flat_map(|(_, tasks)| tasks).copied().collect();
            let awaited = control.world.awaiting_agent(instance).map(told);
            awaited.filter(|told| !under_way.contains(&(told.task, told.desired))).collect()
        } else {
            control.world.live_tasks_on(instance).map(told).collect()
        };
        let number = session.number;
        let mut letters = Vec::new();
        for tasks in due.chunks(PAYLOAD_TASKS) {
            session.messages += 1;
            let message = session.messages;
            let sent = tasks.iter().map(|told| (told.task, told.desired)).collect();
            session.sent.insert(message, (now_ms, sent));
            letters.push(ToAgent::Payload { message, tasks: tasks.to_vec() });
        }
        for say in letters {
            self.post(Letter::Down { to: instance, session: number, say });
            self.at(RESEND_MS, Due::Resend(instance));
        }
    }
}
