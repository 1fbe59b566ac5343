//! Sizes of tasks: how they are written, and which FARGATE offers.

use wire::Error;

/// CPU units: `256`, or as `.25 vCPU`, `1 vcpu`.
pub(crate) fn cpu(text: &str) -> Result<u32, Error> {
    let bad = || Error::client(format!("Invalid 'cpu' setting for task: {text}"));
    let lower = text.trim().to_ascii_lowercase();
    match lower.strip_suffix("vcpu") {
        Some(cpus) => {
            let units = cpus.trim().parse::<f64>().map_err(|_| bad())? * 1024.0;
            if units.fract() != 0.0 || !(1.0..=1_048_576.0).contains(&units) {
                return Err(bad());
            }
            Ok(units as u32)
        }
        None => lower.parse().map_err(|_| bad()),
    }
}

/// MiB: `512`, or as `0.5 GB`, `2gb`.
pub(crate) fn memory(text: &str) -> Result<u32, Error> {
    let bad = || Error::client(format!("Invalid 'memory' setting for task: {text}"));
    let lower = text.trim().to_ascii_lowercase();
    match lower.strip_suffix("gb") {
        Some(gigabytes) => {
            let mib = gigabytes.trim().parse::<f64>().map_err(|_| bad())? * 1024.0;
            if mib.fract() != 0.0 || !(1.0..=16_777_216.0).contains(&mib) {
                return Err(bad());
            }
            Ok(mib as u32)
        }
        None => lower.parse().map_err(|_| bad()),
    }
}

/// Whether FARGATE offers the size (ECS developer guide, "Task CPU and memory").
pub(crate) fn check_fargate(cpu: u32, memory_mib: u32) -> Result<(), Error> {
    const GIB: u32 = 1024;
    let steps = |from: u32, to: u32, step: u32| {
        (from..=to).contains(&memory_mib) && (memory_mib - from).is_multiple_of(step)
    };
    let offered = match cpu {
        256 => [512, GIB, 2 * GIB].contains(&memory_mib),
        512 => steps(GIB, 4 * GIB, GIB),
        1024 => steps(2 * GIB, 8 * GIB, GIB),
        2048 => steps(4 * GIB, 16 * GIB, GIB),
        4096 => steps(8 * GIB, 30 * GIB, GIB),
        8192 => steps(16 * GIB, 60 * GIB, 4 * GIB),
        16384 => steps(32 * GIB, 120 * GIB, 8 * GIB),
        32768 => [60, 120, 180, 244].map(|gib| gib * GIB).contains(&memory_mib),
        _ => false,
    };
    if offered {
        return Ok(());
    }
    Err(Error::client(format!(
        "No Fargate configuration exists for given values: {cpu} CPU, {memory_mib} memory. See the Amazon ECS \
         documentation for the valid values."
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_in_every_spelling() {
        for (text, units) in [("256", 256), (".25 vCPU", 256), ("1 vcpu", 1024), ("2vCPU", 2048)] {
            assert_eq!(cpu(text).unwrap(), units, "{text}");
        }
        for (text, mib) in [("512", 512), ("0.5 GB", 512), ("2gb", 2048)] {
            assert_eq!(memory(text).unwrap(), mib, "{text}");
        }
        for text in ["", "x", "-1", "1.5", "nan vcpu", "1e99 vcpu", "1 GB"] {
            assert!(cpu(text).is_err(), "{text}");
        }
    }

    #[test]
    fn only_what_fargate_offers_passes() {
        for (cpu, memory) in [(256, 512), (256, 2048), (512, 4096), (1024, 8192), (4096, 30720), (16384, 32768)] {
            check_fargate(cpu, memory).unwrap();
        }
        for (cpu, memory) in [(256, 4096), (100, 100), (512, 512), (1024, 2500), (8192, 17408), (0, 0)] {
            let error = check_fargate(cpu, memory).unwrap_err();
            assert!(error.message.starts_with("No Fargate configuration exists for given values"), "{error}");
        }
    }
}
