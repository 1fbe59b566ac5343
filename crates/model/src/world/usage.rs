use crate::entity::{ContainerInstance, HostPort, Size, Subnet, Task, TaskStatus};
use imbl::OrdSet;
use std::{net::Ipv4Addr, sync::Arc};

/// How many tasks are on their way to RUNNING, and how many are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TaskCounts {
    pub pending: usize,
    pub running: usize,
}

impl TaskCounts {
    pub(super) fn count(&mut self, status: TaskStatus, enters: bool) {
        let counter = match status {
            status if status < TaskStatus::Running => &mut self.pending,
            TaskStatus::Running => &mut self.running,
            _ => return,
        };
        *counter = if enters { *counter + 1 } else { counter.saturating_sub(1) };
    }
}

/// What the live tasks of one instance hold. A task holds what it has until it is STOPPED.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Usage {
    pub size: Size,
    pub ports: OrdSet<HostPort>,
    /// Ids, also of GPUs that the instance has no more.
    pub gpus: OrdSet<Arc<str>>,
    /// Addresses as numbers.
    pub addresses: OrdSet<u32>,
    pub tasks: TaskCounts,
    /// All that aren't STOPPED.
    pub live: usize,
}

impl Usage {
    pub(super) fn hold(&mut self, task: &Task) {
        self.size += task.size;
        self.ports.extend(task.host_ports.iter().copied());
        self.gpus.extend(task.gpus().cloned());
        self.addresses.extend(task.eni.iter().map(|eni| u32::from(eni.address)));
        self.tasks.count(task.last_status, true);
        self.live += 1;
    }

    /// `last_status`: as it was held.
    pub(super) fn release(&mut self, task: &Task, last_status: TaskStatus) {
        self.size -= task.size;
        for port in &task.host_ports {
            self.ports.remove(port);
        }
        for gpu in task.gpus() {
            self.gpus.remove(gpu);
        }
        if let Some(eni) = &task.eni {
            self.addresses.remove(&u32::from(eni.address));
        }
        self.tasks.count(last_status, false);
        self.live = self.live.saturating_sub(1);
    }

    /// The instance's GPUs that are nobody's, in the order in which it named them.
    pub fn free_gpus<'i>(
        held: Option<&'i Self>,
        instance: &'i ContainerInstance,
    ) -> impl Iterator<Item = &'i Arc<str>> {
        instance.gpus.iter().filter(move |gpu| !held.is_some_and(|held| held.gpus.contains(*gpu)))
    }

    /// A free address of the subnet, the search beginning at a place that `seed` picks: an address
    /// that was just given up is rarely given out at once, while others still remember it.
    pub fn free_address(&self, subnet: Subnet, seed: u128) -> Option<Ipv4Addr> {
        let (first, _) = subnet.range();
        let capacity = u64::from(subnet.capacity());
        if self.addresses.len() as u64 >= capacity {
            return None;
        }
        let start = (seed % u128::from(capacity)) as u64;
        (0..capacity)
            .map(|step| u32::from(first) + ((start + step) % capacity) as u32)
            .find(|address| !self.addresses.contains(address))
            .map(Ipv4Addr::from)
    }
}
