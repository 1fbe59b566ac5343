//! From the specification's `linux.resources` to what is written into which file. Pure.
//!
//! What can't be limited here is refused by name.

use oci_spec::runtime::{LinuxBlockIo, LinuxCpu, LinuxHugepageLimit, LinuxMemory, LinuxPids, LinuxResources};

use super::devices;

/// One write: v1's controller, the file in its directory, what goes into it.
#[derive(Debug, PartialEq, Eq)]
pub struct Write {
    pub controller: &'static str,
    pub file: String,
    pub value: String,
}

/// What v1 needs, in the order in which the kernel takes it.
pub fn legacy(resources: &LinuxResources) -> Result<Vec<Write>, String> {
    refuse(resources)?;
    if resources.unified().as_ref().is_some_and(|unified| !unified.is_empty()) {
        return Err("resources.unified: this host has cgroup v1".into());
    }
    let mut writes = Writes(Vec::new());
    for rule in devices::rules(resources.devices().as_deref().unwrap_or_default())? {
        let file = if rule.allow { "devices.allow" } else { "devices.deny" };
        writes.put("devices", file, rule);
    }
    if let Some(memory) = resources.memory() {
        writes.some("memory", "memory.swappiness", memory.swappiness());
        writes.put_all(legacy_memory(memory));
        if memory.disable_oom_killer() == Some(true) {
            writes.put("memory", "memory.oom_control", "1");
        }
    }
    if let Some(cpu) = resources.cpu() {
        writes.some("cpu", "cpu.shares", cpu.shares().filter(|shares| *shares != 0));
        writes.some("cpu", "cpu.cfs_period_us", cpu.period().filter(|period| *period != 0));
        writes.some("cpu", "cpu.cfs_quota_us", cpu.quota().filter(|quota| *quota != 0));
        writes.some("cpu", "cpu.cfs_burst_us", cpu.burst());
        writes.some("cpu", "cpu.idle", cpu.idle());
        cpuset(&mut writes, cpu);
    }
    pids(&mut writes, resources.pids());
    if let Some(weight) = block_weight(resources.block_io().as_ref())? {
        writes.put("blkio", "blkio.bfq.weight", weight);
    }
    for limit in resources.hugepage_limits().iter().flatten() {
        writes.put("hugetlb", format!("hugetlb.{}.limit_in_bytes", limit.page_size()), limit.limit());
    }
    Ok(writes.0)
}

/// The same for v2, where values have other names and units. Devices aren't a file's business there ([`super::guard`]).
pub fn unified(resources: &LinuxResources) -> Result<Vec<Write>, String> {
    refuse(resources)?;
    let mut writes = Writes(Vec::new());
    if let Some(memory) = resources.memory() {
        if memory.disable_oom_killer() == Some(true) {
            return Err("resources.memory.disableOOMKiller: cgroup v2 has no such thing".into());
        }
        let limit = memory.limit().filter(|limit| *limit != 0);
        writes.some("memory", "memory.max", limit.map(unlimited));
        writes.some("memory", "memory.low", memory.reservation().filter(|low| *low != 0).map(unlimited));
        writes.some("memory", "memory.swap.max", swap_alone(memory.swap(), limit)?);
    }
    if let Some(cpu) = resources.cpu() {
        writes.some("cpu", "cpu.weight", cpu.shares().filter(|shares| *shares != 0).map(weight));
        let (quota, period) = (cpu.quota().filter(|q| *q != 0), cpu.period().filter(|p| *p != 0));
        if quota.is_some() || period.is_some() {
            let quota = quota.filter(|quota| *quota > 0).map_or("max".to_owned(), |quota| quota.to_string());
            writes.put("cpu", "cpu.max", format!("{quota} {}", period.unwrap_or(100_000)));
        }
        writes.some("cpu", "cpu.max.burst", cpu.burst());
        writes.some("cpu", "cpu.idle", cpu.idle());
        cpuset(&mut writes, cpu);
    }
    pids(&mut writes, resources.pids());
    if let Some(weight) = block_weight(resources.block_io().as_ref())? {
        writes.put("io", "io.bfq.weight", weight);
    }
    for limit in resources.hugepage_limits().iter().flatten() {
        writes.put("hugetlb", hugepages(limit), limit.limit());
    }
    let mut given: Vec<_> = resources.unified().iter().flatten().collect();
    given.sort();
    for (file, value) in given {
        if file.contains('/') || !file.contains('.') {
            return Err(format!("resources.unified: {file:?} is no file of a cgroup"));
        }
        writes.put("", file.clone(), value);
    }
    Ok(writes.0)
}

struct Writes(Vec<Write>);

impl Writes {
    fn put(&mut self, controller: &'static str, file: impl Into<String>, value: impl ToString) {
        self.0.push(Write { controller, file: file.into(), value: value.to_string() });
    }

    fn some(&mut self, controller: &'static str, file: &str, value: Option<impl ToString>) {
        if let Some(value) = value {
            self.put(controller, file, value);
        }
    }

    fn put_all(&mut self, values: Vec<(&'static str, i64)>) {
        for (file, value) in values {
            self.put("memory", file, value);
        }
    }
}

/// Memory and swap together may never be less than memory alone: raised first, lowered last. Which of the two it is
/// isn't known here, so the pair is written in the order for a new cgroup, which has no limits.
fn legacy_memory(memory: &LinuxMemory) -> Vec<(&'static str, i64)> {
    let some = |file, value: Option<i64>| value.filter(|value| *value != 0).map(|value| (file, value));
    [
        some("memory.limit_in_bytes", memory.limit()),
        some("memory.memsw.limit_in_bytes", memory.swap()),
        some("memory.soft_limit_in_bytes", memory.reservation()),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn cpuset(writes: &mut Writes, cpu: &LinuxCpu) {
    let text = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    writes.some("cpuset", "cpuset.cpus", text(cpu.cpus()));
    writes.some("cpuset", "cpuset.mems", text(cpu.mems()));
}

fn pids(writes: &mut Writes, pids: &Option<LinuxPids>) {
    writes.some(
        "pids",
        "pids.max",
        pids.as_ref().map(|pids| pids.limit()).filter(|n| *n != 0).map(unlimited),
    );
}

fn unlimited(value: i64) -> String {
    if value < 0 { "max".to_owned() } else { value.to_string() }
}

/// v2 counts swap alone, the specification memory and swap together (its "Memory" section).
fn swap_alone(swap: Option<i64>, limit: Option<i64>) -> Result<Option<String>, String> {
    match (swap.filter(|swap| *swap != 0), limit) {
        (None, _) => Ok(None),
        (Some(-1), _) => Ok(Some("max".into())),
        (Some(swap), Some(limit)) if limit >= 0 && swap >= limit => Ok(Some((swap - limit).to_string())),
        (Some(swap), limit) => {
            Err(format!("resources.memory: swap {swap} with limit {limit:?} makes no sense"))
        }
    }
}

/// From v1's 2..=262144 to v2's 1..=10000, as runc and systemd map them.
fn weight(shares: u64) -> u64 {
    let shares = shares.clamp(2, 262_144);
    1 + (shares - 2) * 9999 / 262_142
}

fn block_weight(block: Option<&LinuxBlockIo>) -> Result<Option<u16>, String> {
    let Some(block) = block else { return Ok(None) };
    let any = |list: usize| list > 0;
    let lists = [
        block.weight_device().as_ref().map_or(0, Vec::len),
        block.throttle_read_bps_device().as_ref().map_or(0, Vec::len),
        block.throttle_write_bps_device().as_ref().map_or(0, Vec::len),
        block.throttle_read_iops_device().as_ref().map_or(0, Vec::len),
        block.throttle_write_iops_device().as_ref().map_or(0, Vec::len),
    ];
    if lists.into_iter().any(any) {
        return Err("resources.blockIO: limits of single devices: this runtime doesn't do that".into());
    }
    Ok(block.weight().filter(|weight| *weight != 0))
}

fn hugepages(limit: &LinuxHugepageLimit) -> String {
    format!("hugetlb.{}.max", limit.page_size())
}

fn refuse(resources: &LinuxResources) -> Result<(), String> {
    let realtime = |cpu: &LinuxCpu| cpu.realtime_period().is_some() || cpu.realtime_runtime().is_some();
    let refused = [
        ("network", resources.network().is_some()),
        ("rdma", resources.rdma().as_ref().is_some_and(|rdma| !rdma.is_empty())),
        ("cpu.realtimeRuntime", resources.cpu().as_ref().is_some_and(realtime)),
    ];
    match refused.iter().find(|(_, asked)| *asked) {
        Some((what, _)) => Err(format!("resources.{what}: this runtime doesn't do that")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(writes: Vec<Write>) -> String {
        let line = |write: &Write| format!("{}/{} {}", write.controller, write.file, write.value);
        writes.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    fn resources(json: &str) -> LinuxResources {
        serde_json::from_str(json).unwrap()
    }

    const TASK: &str = r#"{"devices":[{"allow":false,"access":"rwm"},{"allow":true,"type":"c","major":10,"minor":229,"access":"rw"}],
        "cpu":{"shares":256,"quota":50000},"memory":{"limit":1000,"swap":1000,"reservation":500},"pids":{"limit":7}}"#;

    #[test]
    fn a_tasks_limits_on_version_1() {
        let want = "memory/memory.limit_in_bytes 1000\n\
            memory/memory.memsw.limit_in_bytes 1000\nmemory/memory.soft_limit_in_bytes 500\ncpu/cpu.shares 256\n\
            cpu/cpu.cfs_quota_us 50000\npids/pids.max 7";
        let (devices, others): (Vec<_>, Vec<_>) =
            legacy(&resources(TASK)).unwrap().into_iter().partition(|write| write.controller == "devices");
        assert_eq!(text(others), want);
        let given =
            "devices/devices.deny a\ndevices/devices.allow c 10:229 rw\ndevices/devices.allow c *:* m\n";
        assert!(text(devices).starts_with(given));
        let refusal = |rule| legacy(&resources(&format!(r#"{{"devices":[{rule}]}}"#))).unwrap_err();
        assert!(refusal(r#"{"allow":true,"type":"c","access":"rx"}"#).contains("'x'"));
        assert!(refusal(r#"{"allow":true,"type":"c","major":99999999}"#).contains("number"));
        assert_eq!(legacy(&resources("{}")).unwrap(), [], "no rules, nothing to add to");
    }

    #[test]
    fn the_same_on_version_2() {
        let want = "memory/memory.max 1000\nmemory/memory.low 500\nmemory/memory.swap.max 0\ncpu/cpu.weight 10\n\
            cpu/cpu.max 50000 100000\npids/pids.max 7";
        assert_eq!(text(unified(&resources(TASK)).unwrap()), want);
        let given = resources(r#"{"unified":{"memory.high":"9","io.max":"8:0 rbps=1"}}"#);
        assert_eq!(text(unified(&given).unwrap()), "/io.max 8:0 rbps=1\n/memory.high 9");
    }

    #[test]
    fn the_ends_of_the_weights_meet() {
        assert_eq!((weight(0), weight(2), weight(262_144), weight(u64::MAX)), (1, 1, 10_000, 10_000));
    }

    #[test]
    fn what_is_not_done_is_refused_by_name() {
        let refusal = |json| legacy(&resources(json)).unwrap_err();
        assert!(refusal(r#"{"rdma":{"x":{"hcaHandles":3}}}"#).contains("rdma"));
        assert!(refusal(r#"{"unified":{"memory.high":"9"}}"#).contains("unified"));
        assert!(unified(&resources(r#"{"unified":{"../x.y":"9"}}"#)).is_err());
        assert!(unified(&resources(r#"{"memory":{"limit":9,"swap":8}}"#)).is_err());
    }
}
