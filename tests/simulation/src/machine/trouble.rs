//! What befalls machines: their agents die, their links break, they die themselves. And how each comes back.

use model::{InstanceId, TaskId};

use super::{Held, Machine, Moment, Phase};
use crate::episode::{Due, Episode};
use crate::letters::{End, Report};
use crate::session::SILENCE_MS;

impl Episode {
    fn ends_process(&mut self, id: InstanceId) {
        let machine = self.machine(id);
        machine.up = false;
        machine.life += 1;
        machine.attempt = None;
        machine.session = None;
        // A machine that is there closes the connections of a process that isn't.
        let in_ms = if machine.on && machine.linked { 5 } else { SILENCE_MS };
        self.doubt(id, in_ms);
    }

    pub fn agent_dies(&mut self) {
        self.some_time(self.weather.agent_dies_every_ms, Due::AgentDies);
        let Some(id) = self.any_machine(|machine| machine.on && machine.up) else { return };
        self.tally.count("deaths of an agent");
        self.ends_process(id);
        let in_ms = self.dice.rarely_up_to(50, 60_000);
        self.at(in_ms, Due::AgentStarts(id));
    }

    /// It finds its tasks as it left them, or as they ended meanwhile, and says anew how each is.
    pub fn agent_starts(&mut self, id: InstanceId) {
        let machine = self.machine(id);
        if machine.up || !machine.on || machine.gone {
            return;
        }
        machine.up = true;
        let life = machine.life;
        let held: Vec<(TaskId, Held)> = machine.held.iter().map(|(id, held)| (*id, held.clone())).collect();
        for (task, held) in held {
            match held.phase {
                Phase::Pulling => self.moment(id, task, 20, Moment::Pulled),
                Phase::Starting => self.moment(id, task, 20, Moment::Started),
                Phase::Running => self.tell(id, Report { task, ended: None }),
            }
        }
        self.say(id);
        self.knock(id, life);
    }

    pub fn link_breaks(&mut self) {
        self.some_time(self.weather.link_breaks_every_ms, Due::LinkBreaks);
        let Some(id) = self.any_machine(|machine| machine.linked) else { return };
        self.tally.count("links cut");
        let machine = self.machine(id);
        machine.linked = false;
        machine.session = None;
        self.doubt(id, SILENCE_MS);
        let in_ms = self.dice.rarely_up_to(100, 300_000);
        self.at(in_ms, Due::LinkHeals(id));
        if in_ms > 120_000 {
            self.at(110_000, Due::Operator(id));
        }
    }

    pub fn link_heals(&mut self, id: InstanceId) {
        let machine = self.machine(id);
        if machine.gone {
            return;
        }
        machine.linked = true;
        let life = machine.life;
        self.knock(id, life);
        self.say(id);
    }

    pub fn machine_dies(&mut self) {
        self.some_time(self.weather.machine_dies_every_ms, Due::MachineDies);
        let Some(id) = self.any_machine(|machine| machine.on) else { return };
        self.tally.count("deaths of a machine");
        let machine = self.machine(id);
        machine.on = false;
        machine.boot += 1;
        let gone: Vec<TaskId> = machine.holds().collect();
        gone.into_iter().for_each(|task| self.truth.ends(task));
        if self.machine(id).up {
            self.ends_process(id);
        }
        match self.dice.chance(60) {
            true => {
                let in_ms = self.dice.rarely_up_to(5_000, 200_000);
                self.at(in_ms, Due::MachineStarts(id));
            }
            false => {
                let in_ms = self.dice.between(60_000, 200_000);
                self.at(in_ms, Due::Operator(id));
            }
        }
    }

    /// Nothing runs there any more; what was said of it wasn't lost.
    pub fn machine_starts(&mut self, id: InstanceId) {
        let machine = self.machine(id);
        if machine.on || machine.gone {
            return;
        }
        machine.on = true;
        let held: Vec<(TaskId, Phase)> = machine.held.iter().map(|(id, held)| (*id, held.phase)).collect();
        for (task, phase) in held {
            let end =
                End { code: None, reason: Some("the machine was restarted"), ran: phase == Phase::Running };
            self.is_over(id, task, end);
        }
        self.agent_starts(id);
    }

    /// So that all can come right: machines and agents that are away come back, links heal, what hangs starts.
    pub fn mend(&mut self) {
        let ids: Vec<InstanceId> = self.machines.keys().copied().collect();
        for id in ids {
            let away = !self.machines[&id].is_linked() && self.weather.lost_after_ms > 0;
            if away && self.dice.chance(self.weather.never_back) {
                self.machine(id).gone = true;
                continue;
            }
            self.link_heals(id);
            if self.machine(id).on {
                self.agent_starts(id);
            } else if !self.is_deregistered(id) {
                self.machine_starts(id);
            }
            let starting = |(_, held): &(&TaskId, &Held)| held.phase == Phase::Starting;
            let hanging: Vec<TaskId> =
                self.machines[&id].held.iter().filter(starting).map(|(task, _)| *task).collect();
            hanging.into_iter().for_each(|task| self.moment(id, task, 10, Moment::Started));
        }
    }

    fn any_machine(&mut self, which: impl Fn(&Machine) -> bool) -> Option<InstanceId> {
        let ids: Vec<InstanceId> =
            self.machines.iter().filter(|(_, machine)| which(machine)).map(|(id, _)| *id).collect();
        self.dice.pick(&ids)
    }
}
