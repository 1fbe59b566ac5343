//! The control plane's end of an agent's session, around `plan::outbox`.

use model::command::Command;
use model::{InstanceId, TaskId};
use plan::outbox::{self, Outbox, RESEND_MS};

use crate::control::Origin;
use crate::episode::{Due, Episode};
use crate::letters::{Letter, Report, ToAgent, ToControl, Told};

/// An agent that has said nothing for so long is gone.
pub const SILENCE_MS: u64 = 95_000;

#[derive(Debug)]
pub struct Session {
    pub number: u64,
    open: bool,
    outbox: Outbox,
    /// The same for the instance alone.
    of_instance: u64,
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
                let session = self.control.sessions.get_mut(&from);
                let tasks = session.and_then(|known| known.outbox.acknowledged(&message.to_string()));
                if let Some(tasks) = tasks {
                    self.ask(Command::AcknowledgePayload { instance: from, tasks });
                }
            }
            ToControl::Candidates(tasks) if known => {
                let wanted = |id: &TaskId| outbox::is_wanted_on(&self.control.world, from, *id);
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
        let session = Session { number, open: false, outbox: Outbox::default(), of_instance: 0 };
        if let Some(old) = self.control.sessions.insert(id, session) {
            self.agent_loses_session(id, old.number);
        }
        self.submit(Command::SetAgentConnected { id, connected: true }, Origin::Connect(id, number));
    }

    pub fn open_session(&mut self, id: InstanceId, number: u64) {
        let Some(session) = self.control.sessions.get_mut(&id).filter(|s| s.number == number) else { return };
        session.open = true;
        session.of_instance = self.control.world.instance(id).map_or(0, |instance| instance.session);
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
        let ended = self.control.sessions.remove(&instance);
        self.agent_loses_session(instance, session);
        self.leave(instance, ended.map_or(0, |ended| ended.of_instance), self.control.life);
    }

    /// Until it is recorded.
    pub fn leave(&mut self, id: InstanceId, session: u64, life: u64) {
        if self.control.life == life {
            self.submit(Command::EndSession { id, session }, Origin::Leave(id, session));
        }
    }

    pub fn send_due(&mut self, instance: InstanceId) {
        let now_ms = self.now_ms;
        let control = &mut self.control;
        let (session, world) = (control.sessions.get_mut(&instance), &control.world);
        let Some(session) = session.filter(|session| session.open) else { return };
        let Some(known) = world.instance(instance) else { return };
        let mut letters = Vec::new();
        for tasks in session.outbox.due(world, known, now_ms) {
            let message = session.outbox.number(known);
            let described = tasks.iter().filter_map(|(id, desired)| {
                Some(Told {
                    task: *id,
                    family: world.task(*id)?.definition.family.clone(),
                    desired: *desired,
                })
            });
            letters.push(ToAgent::Payload { message, tasks: described.collect() });
            session.outbox.sent(message.to_string(), tasks, now_ms);
        }
        let number = session.number;
        for say in letters {
            self.post(Letter::Down { to: instance, session: number, say });
            self.at(RESEND_MS, Due::Resend(instance));
        }
    }
}
