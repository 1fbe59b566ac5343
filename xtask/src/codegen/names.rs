//! From the models' names to Rust's.

const KEYWORDS: &[&str] = &[
    "as", "async", "await", "box", "break", "const", "continue", "dyn", "else", "enum", "extern", "false",
    "fn", "for", "if", "impl", "in", "let", "loop", "macro", "match", "mod", "move", "mut", "pub", "ref",
    "return", "static", "struct", "trait", "true", "type", "unsafe", "use", "where", "while", "yield",
    "final", "override", "virtual", "priv", "try", "abstract", "do",
];

/// Words whose capitals aren't at their start.
const ONE_WORD: &[(&str, &str)] =
    &[("IPv4", "Ipv4"), ("IPv6", "Ipv6"), ("MiB", "Mib"), ("GiB", "Gib"), ("VCpu", "Vcpu")];

/// `enableECSManagedTags` is `enable_ecs_managed_tags`, `privateIPv4Address` is
/// `private_ipv4_address`, `type` is `r#type`.
pub fn field(name: &str) -> String {
    let snake = words(name).join("_").to_lowercase();
    if KEYWORDS.contains(&snake.as_str()) { format!("r#{snake}") } else { snake }
}

/// `RunTask` is `RUN_TASK`: the name of a static.
pub fn constant(name: &str) -> String {
    words(name).join("_").to_uppercase()
}

/// Types keep the model's name, with a capital in front.
pub fn type_name(name: &str) -> String {
    capitalise(name)
}

/// `json-file` is `JsonFile`, `WINDOWS_SERVER_2019_FULL` is `WindowsServer2019Full`, `V1.1` is
/// `V1_1`: words in capitals, with an underscore only where two digits would meet.
pub fn variant(value: &str) -> String {
    let mut name = String::new();
    for word in words(value) {
        let digits_meet =
            name.ends_with(|c: char| c.is_ascii_digit()) && word.starts_with(|c: char| c.is_ascii_digit());
        if digits_meet {
            name.push('_');
        }
        name.push_str(&capitalise(&word.to_lowercase()));
    }
    if name.starts_with(|c: char| c.is_ascii_digit()) {
        name.insert(0, '_');
    }
    name
}

/// What serde's `rename_all = "camelCase"` makes of a field's name.
pub fn camel_case(field: &str) -> String {
    let mut name = String::new();
    for (i, word) in field.trim_start_matches("r#").split('_').enumerate() {
        name.push_str(&if i == 0 { word.to_owned() } else { capitalise(word) });
    }
    name
}

fn capitalise(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map_or_else(String::new, |c| c.to_ascii_uppercase().to_string() + chars.as_str())
}

/// Splits at punctuation, before a capital that follows a small letter or digit, and before the
/// last capital of a run (`ECSManaged` is `ECS`, `Managed`).
fn words(name: &str) -> Vec<String> {
    let mut name = name.to_owned();
    for (written, read) in ONE_WORD {
        name = name.replace(written, read);
    }
    let mut words = Vec::new();
    for part in name.split(|c: char| !c.is_ascii_alphanumeric()) {
        let chars: Vec<char> = part.chars().collect();
        let mut word = String::new();
        for (i, &c) in chars.iter().enumerate() {
            let after_small = i > 0 && !chars[i - 1].is_ascii_uppercase();
            let ends_run = i > 0 && chars.get(i + 1).is_some_and(|n| n.is_ascii_lowercase());
            if c.is_ascii_uppercase() && (after_small || ends_run) && !word.is_empty() {
                words.push(std::mem::take(&mut word));
            }
            word.push(c);
        }
        if !word.is_empty() {
            words.push(word);
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_snake_case() {
        for (name, want) in [
            ("enableECSManagedTags", "enable_ecs_managed_tags"),
            ("privateIPv4Address", "private_ipv4_address"),
            ("type", "r#type"),
            ("memoryGiBPerVCpu", "memory_gib_per_vcpu"),
            ("UserId", "user_id"),
            ("ec2InstanceId", "ec2_instance_id"),
            ("SAMLAssertion", "saml_assertion"),
        ] {
            assert_eq!(field(name), want);
        }
    }

    #[test]
    fn variants_are_camel_case() {
        for (value, want) in [
            ("json-file", "JsonFile"),
            ("WINDOWS_SERVER_2019_FULL", "WindowsServer2019Full"),
            ("X86_64", "X86_64"),
            ("V1.1", "V1_1"),
            ("Bytes/Second", "BytesSecond"),
            ("serviceLongArnFormat", "ServiceLongArnFormat"),
            ("awsvpc", "Awsvpc"),
        ] {
            assert_eq!(variant(value), want);
        }
    }
}
