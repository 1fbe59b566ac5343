//! A container's resource use, in the messages that containerd defines for cgroup v1 and v2.

use containerd_shim_protos::cgroups::metrics as v1;
use containerd_shim_protos::cgroups_v2::metrics as v2;
use containerd_shim_protos::protobuf::well_known_types::any::Any;
use containerd_shim_protos::protobuf::{Message, MessageField};

use crate::cgroup::{Cgroup, value_of};

/// Linux counts a process's ticks in hundredths of a second for user space on every architecture.
const NS_PER_TICK: u64 = 10_000_000;

/// The figures of now. Files that aren't there give zeros.
pub fn collect(cgroup: &Cgroup) -> Any {
    let (type_url, value) = if cgroup.unified() {
        ("io.containerd.cgroups.v2.Metrics", unified(cgroup).write_to_bytes())
    } else {
        ("io.containerd.cgroups.v1.Metrics", legacy(cgroup).write_to_bytes())
    };
    Any { type_url: type_url.into(), value: value.unwrap_or_default(), ..Any::default() }
}

fn legacy(cgroup: &Cgroup) -> v1::Metrics {
    let mut metrics = v1::Metrics::new();
    let mut pids = v1::PidsStat::new();
    pids.current = cgroup.number("pids", "pids.current");
    pids.limit = limit(cgroup.number("pids", "pids.max"));
    metrics.pids = MessageField::some(pids);

    let mut usage = v1::CPUUsage::new();
    usage.total = cgroup.number("cpuacct", "cpuacct.usage");
    let ticks = cgroup.read("cpuacct", "cpuacct.stat");
    usage.user = value_of(&ticks, "user") * NS_PER_TICK;
    usage.kernel = value_of(&ticks, "system") * NS_PER_TICK;
    let per_cpu = cgroup.read("cpuacct", "cpuacct.usage_percpu");
    usage.per_cpu = per_cpu.split_whitespace().filter_map(|value| value.parse().ok()).collect();
    let mut throttle = v1::Throttle::new();
    let text = cgroup.read("cpu", "cpu.stat");
    throttle.periods = value_of(&text, "nr_periods");
    throttle.throttled_periods = value_of(&text, "nr_throttled");
    throttle.throttled_time = value_of(&text, "throttled_time");
    let mut cpu = v1::CPUStat::new();
    cpu.usage = MessageField::some(usage);
    cpu.throttling = MessageField::some(throttle);
    metrics.cpu = MessageField::some(cpu);

    let text = cgroup.read("memory", "memory.stat");
    let mut memory = v1::MemoryStat::new();
    memory.cache = value_of(&text, "cache");
    memory.rss = value_of(&text, "rss");
    memory.mapped_file = value_of(&text, "mapped_file");
    memory.inactive_file = value_of(&text, "inactive_file");
    memory.active_file = value_of(&text, "active_file");
    memory.inactive_anon = value_of(&text, "inactive_anon");
    memory.active_anon = value_of(&text, "active_anon");
    memory.total_cache = value_of(&text, "total_cache");
    memory.total_rss = value_of(&text, "total_rss");
    memory.total_inactive_file = value_of(&text, "total_inactive_file");
    memory.hierarchical_memory_limit = value_of(&text, "hierarchical_memory_limit");
    memory.usage = MessageField::some(entry(cgroup, "memory"));
    memory.swap = MessageField::some(entry(cgroup, "memory.memsw"));
    metrics.memory = MessageField::some(memory);
    let mut oom = v1::MemoryOomControl::new();
    oom.oom_kill = cgroup.oom_kills();
    metrics.memory_oom_control = MessageField::some(oom);

    let mut blkio = v1::BlkIOStat::new();
    blkio.io_service_bytes_recursive = block(cgroup, "blkio.throttle.io_service_bytes_recursive");
    blkio.io_serviced_recursive = block(cgroup, "blkio.throttle.io_serviced_recursive");
    metrics.blkio = MessageField::some(blkio);
    metrics
}

fn entry(cgroup: &Cgroup, prefix: &str) -> v1::MemoryEntry {
    let number = |name: &str| cgroup.number("memory", &format!("{prefix}.{name}"));
    let mut entry = v1::MemoryEntry::new();
    entry.usage = number("usage_in_bytes");
    entry.max = number("max_usage_in_bytes");
    entry.failcnt = number("failcnt");
    entry.limit = number("limit_in_bytes");
    entry
}

/// Lines of `major:minor Operation value`.
fn block(cgroup: &Cgroup, file: &str) -> Vec<v1::BlkIOEntry> {
    let text = cgroup.read("blkio", file);
    let lines = text.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        let (major, minor) = words.next()?.split_once(':')?;
        let mut entry = v1::BlkIOEntry::new();
        entry.major = major.parse().ok()?;
        entry.minor = minor.parse().ok()?;
        entry.op = words.next()?.to_owned();
        entry.value = words.next()?.parse().ok()?;
        Some(entry)
    });
    lines.collect()
}

fn unified(cgroup: &Cgroup) -> v2::Metrics {
    let mut metrics = v2::Metrics::new();
    let mut pids = v2::PidsStat::new();
    pids.current = cgroup.number("", "pids.current");
    pids.limit = limit(cgroup.number("", "pids.max"));
    metrics.pids = MessageField::some(pids);

    let text = cgroup.read("", "cpu.stat");
    let mut cpu = v2::CPUStat::new();
    cpu.usage_usec = value_of(&text, "usage_usec");
    cpu.user_usec = value_of(&text, "user_usec");
    cpu.system_usec = value_of(&text, "system_usec");
    cpu.nr_periods = value_of(&text, "nr_periods");
    cpu.nr_throttled = value_of(&text, "nr_throttled");
    cpu.throttled_usec = value_of(&text, "throttled_usec");
    metrics.cpu = MessageField::some(cpu);

    let text = cgroup.read("", "memory.stat");
    let mut memory = v2::MemoryStat::new();
    memory.anon = value_of(&text, "anon");
    memory.file = value_of(&text, "file");
    memory.inactive_file = value_of(&text, "inactive_file");
    memory.active_file = value_of(&text, "active_file");
    memory.inactive_anon = value_of(&text, "inactive_anon");
    memory.active_anon = value_of(&text, "active_anon");
    memory.pgfault = value_of(&text, "pgfault");
    memory.pgmajfault = value_of(&text, "pgmajfault");
    memory.usage = cgroup.number("", "memory.current");
    memory.usage_limit = cgroup.number("", "memory.max");
    memory.max_usage = cgroup.number("", "memory.peak");
    memory.swap_usage = cgroup.number("", "memory.swap.current");
    memory.swap_limit = cgroup.number("", "memory.swap.max");
    metrics.memory = MessageField::some(memory);
    let mut events = v2::MemoryEvents::new();
    let text = cgroup.read("", "memory.events");
    events.oom = value_of(&text, "oom");
    events.oom_kill = value_of(&text, "oom_kill");
    metrics.memory_events = MessageField::some(events);

    let mut io = v2::IOStat::new();
    io.usage = cgroup.read("", "io.stat").lines().filter_map(io_entry).collect();
    metrics.io = MessageField::some(io);
    metrics
}

/// A line of `major:minor rbytes=… wbytes=… rios=… wios=…`.
fn io_entry(line: &str) -> Option<v2::IOEntry> {
    let mut words = line.split_whitespace();
    let (major, minor) = words.next()?.split_once(':')?;
    let mut entry = v2::IOEntry::new();
    entry.major = major.parse().ok()?;
    entry.minor = minor.parse().ok()?;
    for (key, value) in words.filter_map(|word| word.split_once('=')) {
        let value = value.parse().unwrap_or(0);
        match key {
            "rbytes" => entry.rbytes = value,
            "wbytes" => entry.wbytes = value,
            "rios" => entry.rios = value,
            "wios" => entry.wios = value,
            _ => {}
        }
    }
    Some(entry)
}

/// containerd's messages say "no limit" with 0.
fn limit(value: u64) -> u64 {
    if value == u64::MAX { 0 } else { value }
}
