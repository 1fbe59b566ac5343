//! One episode: a clock that jumps from one thing that is due to the next, and everything it concerns.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use anyhow::Context;
use model::{Home, InstanceId, ServiceKey, TaskId};

use crate::control::Control;
use crate::dice::Dice;
use crate::letters::Letter;
use crate::machine::{Machine, Moment};
use crate::site;
use crate::tally::Tally;
use crate::truth::Truth;
use crate::weather::Weather;

/// What can be due.
#[derive(Debug, Clone)]
pub enum Due {
    /// The writer takes what is waiting.
    Commit,
    /// Services' scheduler, deadlines and retries have something to look at.
    Look,
    Runs,
    /// Somebody looks which lifecycle hooks are to be asked, and which machines are lost.
    Hooks,
    Lost,
    /// A hook's endpoint has made up its mind.
    Answers {
        life: u64,
        service: ServiceKey,
        run: Arc<str>,
    },
    /// Pauses of deployments go on.
    Continue,
    /// Everything is looked at once a minute, and forgotten what is over.
    Sweep,
    Arrives(Letter),
    /// The control plane finds a session silent.
    Silent {
        instance: InstanceId,
        session: u64,
    },
    /// That an agent has left wasn't stored.
    Leave {
        instance: InstanceId,
        session: u64,
        life: u64,
    },
    /// A payload wasn't acknowledged.
    Resend(InstanceId),
    /// An agent without a session tries to get one.
    Knock {
        instance: InstanceId,
        life: u64,
    },
    /// No answer came to a report.
    NoAnswer {
        instance: InstanceId,
        life: u64,
        attempt: u64,
    },
    /// Something happens to a task on a machine that hasn't been restarted since.
    Moment {
        instance: InstanceId,
        boot: u64,
        task: TaskId,
        moment: Moment,
    },
    User,
    ControlDies,
    ControlStarts,
    AgentDies,
    AgentStarts(InstanceId),
    LinkBreaks,
    LinkHeals(InstanceId),
    MachineDies,
    MachineStarts(InstanceId),
    /// Somebody notices that a machine doesn't answer.
    Operator(InstanceId),
}

pub struct Episode {
    pub dice: Dice,
    pub weather: Weather,
    pub now_ms: u64,
    due: BTreeMap<(u64, u64), Due>,
    numbered: u64,
    pub steps: u64,
    pub control: Control,
    pub machines: BTreeMap<InstanceId, Machine>,
    pub truth: Truth,
    pub tally: Tally,
    /// No more trouble, and no more orders: everything is to come right.
    pub calm: bool,
    /// The last things that were due, where somebody wants to know.
    pub trace: Option<VecDeque<String>>,
}

impl Due {
    /// Whether something happens, other than that somebody looks whether it is time.
    fn is_a_step(&self) -> bool {
        !matches!(
            self,
            Due::Look
                | Due::Runs
                | Due::Hooks
                | Due::Lost
                | Due::Continue
                | Due::Sweep
                | Due::Silent { .. }
                | Due::Leave { .. }
                | Due::Resend(_)
                | Due::Knock { .. }
                | Due::NoAnswer { .. }
                | Due::Operator(_)
        )
    }
}

/// An episode's clock doesn't begin at 0, where what is long ago would be before time.
const BEGINNING_MS: u64 = 1_000_000;
/// Lines of a trace that are kept.
const TRACED: usize = 200_000;

impl Episode {
    pub fn new(seed: u64, number: u64, traced: bool) -> Episode {
        let mut dice = Dice::of(seed, number);
        Episode {
            weather: Weather::draw(&mut dice),
            dice,
            now_ms: BEGINNING_MS,
            due: BTreeMap::new(),
            numbered: 0,
            steps: 0,
            control: Control::new(),
            machines: BTreeMap::new(),
            truth: Truth::default(),
            tally: Tally::default(),
            calm: false,
            trace: traced.then(VecDeque::new),
        }
    }

    /// From the first order to the end, when nothing is left.
    pub fn play(&mut self) -> anyhow::Result<()> {
        self.begin();
        let until_ms = self.now_ms + self.weather.lasts_ms;
        self.go_on(until_ms)?;
        self.clear_up().context("when all trouble ended")?;
        self.come_to_rest().context("when all trouble was over")?;
        self.come_to_nothing().context("when everything was deleted")
    }

    pub fn begin(&mut self) {
        self.ask(site::create_cluster());
        for manners in site::FAMILIES {
            self.ask(site::definition(manners));
        }
        for _ in 0..self.weather.pool {
            self.new_machine(Home::Pool);
        }
        for _ in 0..self.weather.own {
            self.new_machine(Home::Cluster(site::cluster()));
        }
        self.at(0, Due::Sweep);
        if self.weather.lost_after_ms > 0 {
            self.at(0, Due::Lost);
        }
        let weather = self.weather.clone();
        for (every_ms, due) in [
            (weather.user_acts_every_ms, Due::User),
            (weather.control_dies_every_ms, Due::ControlDies),
            (weather.agent_dies_every_ms, Due::AgentDies),
            (weather.link_breaks_every_ms, Due::LinkBreaks),
            (weather.machine_dies_every_ms, Due::MachineDies),
        ] {
            self.some_time(every_ms, due);
        }
    }

    pub fn age_ms(&self) -> u64 {
        self.now_ms - BEGINNING_MS
    }

    pub fn at(&mut self, in_ms: u64, due: Due) {
        self.numbered += 1;
        self.due.insert((self.now_ms + in_ms, self.numbered), due);
    }

    /// Again and again, while the episode's trouble lasts.
    pub fn some_time(&mut self, every_ms: u64, due: Due) {
        if every_ms > 0 && !self.calm {
            let in_ms = self.dice.between(0, 2 * every_ms);
            self.at(in_ms, due);
        }
    }

    /// Everything that is due until then.
    pub fn go_on(&mut self, until_ms: u64) -> anyhow::Result<()> {
        while let Some(next) = self.due.first_entry() {
            let (at_ms, _) = *next.key();
            if at_ms > until_ms {
                break;
            }
            let due = next.remove();
            self.now_ms = at_ms;
            self.steps += u64::from(due.is_a_step());
            self.note(|| format!("{due:?}"));
            self.happen(due)?;
        }
        self.now_ms = self.now_ms.max(until_ms);
        Ok(())
    }

    pub fn note(&mut self, line: impl FnOnce() -> String) {
        let now_ms = self.now_ms;
        if let Some(trace) = &mut self.trace {
            trace.push_back(format!("{now_ms:>10} {}", line()));
            if trace.len() > TRACED {
                trace.pop_front();
            }
        }
    }

    fn happen(&mut self, due: Due) -> anyhow::Result<()> {
        match due {
            Due::User | Due::ControlDies | Due::AgentDies | Due::LinkBreaks | Due::MachineDies
                if self.calm => {}
            Due::Commit => self.commit()?,
            Due::Look => self.drive()?,
            Due::Runs => self.look_at_runs(),
            Due::Hooks => self.look_at_hooks(),
            Due::Lost => self.look_for_the_lost(),
            Due::Answers { life, service, run } => self.hook_answers(life, service, run),
            Due::Continue => self.continue_all(),
            Due::Sweep => self.sweep()?,
            Due::Arrives(Letter::Up { from, session, say }) => self.hear(from, session, say),
            Due::Arrives(Letter::Down { to, session, say }) => {
                self.obey(to, session, say);
                // After the last letter of a session that is over comes its end.
                if self.control.sessions.get(&to).is_none_or(|open| open.number != session) {
                    self.agent_loses_session(to, session);
                }
            }
            Due::Silent { instance, session } => self.end_session(instance, session),
            Due::Leave { instance, session, life } => self.leave(instance, session, life),
            Due::Resend(id) => self.send_due(id),
            Due::Knock { instance, life } => self.knock(instance, life),
            Due::NoAnswer { instance, life, attempt } => self.ask_again(instance, life, attempt),
            Due::Moment { instance, boot, task, moment } => self.come_about(instance, boot, task, moment)?,
            Due::User => {
                self.act();
                self.some_time(self.weather.user_acts_every_ms, Due::User);
            }
            Due::ControlDies => {
                self.control_dies();
                self.some_time(self.weather.control_dies_every_ms, Due::ControlDies);
            }
            Due::ControlStarts => self.control_starts()?,
            Due::AgentDies => self.agent_dies(),
            Due::AgentStarts(id) => self.agent_starts(id),
            Due::LinkBreaks => self.link_breaks(),
            Due::LinkHeals(id) => self.link_heals(id),
            Due::MachineDies => self.machine_dies(),
            Due::MachineStarts(id) => self.machine_starts(id),
            Due::Operator(id) => self.operator_looks(id),
        }
        Ok(())
    }

    pub fn new_machine(&mut self, home: Home) -> InstanceId {
        let id = InstanceId(self.dice.id());
        let registration = site::registration(&mut self.dice, id, home);
        self.machines.insert(id, Machine::new(registration));
        self.at(0, Due::Knock { instance: id, life: 0 });
        id
    }

    /// Sends a letter, which may come late, or not at all.
    pub fn post(&mut self, letter: Letter) {
        let instance = match &letter {
            Letter::Up { from, .. } => *from,
            Letter::Down { to, .. } => *to,
        };
        let Some(machine) = self.machines.get_mut(&instance).filter(|machine| machine.is_linked()) else {
            return;
        };
        if !self.calm && letter.may_be_lost() && self.dice.chance(self.weather.loss) {
            self.tally.count("messages lost");
            return;
        }
        let mut in_ms = self.dice.between(0, 3);
        if !self.calm && self.dice.chance(self.weather.late) {
            in_ms = self.dice.rarely_up_to(1, self.weather.latest_ms);
        }
        if letter.keeps_its_place() {
            // A connection delivers in order.
            let way = machine.last_arrival(&letter);
            *way = (*way).max(self.now_ms + in_ms);
            in_ms = *way - self.now_ms;
        }
        self.at(in_ms, Due::Arrives(letter));
    }
}
