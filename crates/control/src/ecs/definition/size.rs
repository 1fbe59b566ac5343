//! Sizes: how they are written, and which of them Fargate has (ECS developer guide, "Task size").

use wire::Error;

use super::refusal::said;

/// Most bytes of a definition as JSON (ECS service quotas).
const MOST_BYTES: usize = 64 * 1024;

/// `1024`, `1 vCPU` or `.25vcpu` in CPU units.
pub(crate) fn cpu_units(text: &str) -> Result<u32, Error> {
    number(text, "vcpu").ok_or_else(|| invalid("cpu"))
}

/// `2048`, `2 GB` or `0.5gb` in MiB.
pub(crate) fn memory_mib(text: &str) -> Result<u32, Error> {
    number(text, "gb").ok_or_else(|| invalid("memory"))
}

/// The error for a task's `cpu` or `memory`, in the developer guide's words.
pub(super) fn invalid(field: &str) -> Error {
    said(format!(
        "Invalid '{field}' setting for task. \
         For more information, see the Troubleshooting section of the Amazon ECS Developer Guide."
    ))
}

/// A whole number; before the unit, which stands for 1024, a fraction too if the product is whole.
fn number(text: &str, unit: &str) -> Option<u32> {
    let text = text.trim().to_ascii_lowercase();
    let Some(amount) = text.strip_suffix(unit) else {
        return text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok())?.filter(|n| *n > 0);
    };
    let amount = amount.trim_end();
    if !amount.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return None;
    }
    let product = amount.parse::<f64>().ok()? * 1024.0;
    let whole = product.fract() == 0.0 && (1.0..=f64::from(u32::MAX)).contains(&product);
    whole.then_some(product as u32)
}

/// Refuses a size that Fargate doesn't have. Windows needs a whole vCPU, and stops at four.
pub(crate) fn check_fargate(cpu: u32, memory_mib: u32, windows: bool) -> Result<(), Error> {
    const GB: u32 = 1024;
    let steps = |least: u32, most: u32, step: u32| {
        (least * GB..=most * GB).contains(&memory_mib) && memory_mib.is_multiple_of(step * GB)
    };
    let exists = match cpu {
        256 => !windows && [512, 1024, 2048].contains(&memory_mib),
        512 => !windows && steps(1, 4, 1),
        1024 => steps(2, 8, 1),
        2048 => steps(4, 16, 1),
        4096 => steps(8, 30, 1),
        8192 => !windows && steps(16, 60, 4),
        16384 => !windows && steps(32, 120, 8),
        _ => false,
    };
    if exists {
        return Ok(());
    }
    Err(said(format!(
        "No Fargate configuration exists for given values: {cpu} CPU, {memory_mib} memory. \
         See the Amazon ECS documentation for the valid values."
    )))
}

pub(super) fn check_length(bytes: usize) -> Result<(), Error> {
    if bytes <= MOST_BYTES {
        return Ok(());
    }
    Err(said(format!("Actual length: '{bytes}'. Max allowed length is '{MOST_BYTES}' bytes.")))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sizes_are_read_in_each_spelling() {
        for (text, units) in
            [("256", 256), ("1 vCPU", 1024), ("1vcpu", 1024), (".25 vCPU", 256), (" 2 VCPU ", 2048)]
        {
            assert_eq!(cpu_units(text).unwrap(), units, "{text}");
        }
        for (text, mib) in [("512", 512), ("2 GB", 2048), ("2gb", 2048), ("0.5 GB", 512), ("30GB", 30720)] {
            assert_eq!(memory_mib(text).unwrap(), mib, "{text}");
        }
        for text in ["", "0", "-1", "1.5", "one", "1 cpu", "vcpu", "0 vcpu", "0.0001 vcpu", "1e3", "nan vcpu"]
        {
            assert!(cpu_units(text).is_err(), "{text}");
        }
        for text in ["", "0", "1.5", "2 GiB", "2 MB", "inf gb", "99999999999", "4194304 GB", "1..5GB"] {
            assert!(memory_mib(text).is_err(), "{text}");
        }
    }

    /// Every pair of the developer guide's table, written out.
    fn table() -> Vec<(u32, u32)> {
        let range = |cpu, least: u32, most: u32, step: usize| {
            (least..=most).step_by(step).map(move |gb| (cpu, gb * 1024))
        };
        let mut all = vec![(256, 512), (256, 1024), (256, 2048)];
        all.extend(range(512, 1, 4, 1));
        all.extend(range(1024, 2, 8, 1));
        all.extend(range(2048, 4, 16, 1));
        all.extend(range(4096, 8, 30, 1));
        all.extend(range(8192, 16, 60, 4));
        all.extend(range(16384, 32, 120, 8));
        all
    }

    #[test]
    fn fargate_has_the_table_and_nothing_else() {
        let table = table();
        for cpu in (0..=33_000).step_by(128) {
            for memory_mib in (0..=131_072).step_by(512) {
                let listed = table.contains(&(cpu, memory_mib));
                assert_eq!(check_fargate(cpu, memory_mib, false).is_ok(), listed, "{cpu} {memory_mib}");
            }
        }
    }

    #[test]
    fn a_size_that_fargate_lacks_is_named() {
        let error = check_fargate(1024, 1024, false).unwrap_err();
        assert_eq!(
            error.message,
            "No Fargate configuration exists for given values: 1024 CPU, 1024 memory. \
             See the Amazon ECS documentation for the valid values."
        );
        assert!(check_fargate(512, 1024, true).is_err());
        assert!(check_fargate(1024, 2048, true).is_ok());
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_written_is_read(n in 1..=u32::MAX) {
            prop_assert_eq!(cpu_units(&n.to_string()).unwrap(), n);
            prop_assert_eq!(memory_mib(&n.to_string()).unwrap(), n);
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,12}") {
            let _ = (cpu_units(&text), memory_mib(&text));
        }
    }
}
