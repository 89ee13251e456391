//! Who is believed.

use crate::{
    config::Guard,
    doctor::{Check, Facts, Finding, Switch},
};

pub(super) fn keys(_: &Facts, switch: &Switch) -> Vec<Finding> {
    let check = Check::Key;
    let key = match switch.sound_config() {
        None => check.note("not known without a configuration"),
        Some(config) if config.key_file.is_some() => check.ok("the fabric has one"),
        Some(_) => check.note("none: whoever sends into a port between switches is believed").by_hand(
            "(umask 077; openssl rand -base64 32 > /etc/smoc/fabric.key)  # then `key_file` on all switches",
        ),
    };
    let check = Check::KeyFile;
    let open = switch.key_files.iter().filter(|(_, mode)| mode & 0o077 != 0).map(|(path, mode)| {
        let found = format!("{} has mode {:o}", path.display(), mode & 0o777);
        // The agent may read it by its group.
        check.warning(found).by_hand(format!("chmod 600 {}", path.display()))
    });
    let mut all = check.all(open, "nobody else can read them, or there are none");
    all.push(key);
    all
}

pub(super) fn guard(_: &Facts, switch: &Switch) -> Vec<Finding> {
    let check = Check::Guard;
    let Some(config) = switch.sound_config() else {
        return vec![check.note("not known without a configuration")];
    };
    let hosts = config.ports.keys().filter(|port| !switch.fabric_ports.contains(&port.get()));
    let open: Vec<String> = hosts
        .filter(|port| config.border.guard_of(**port) == Guard::Off)
        .map(|port| port.get().to_string())
        .collect();
    vec![if open.is_empty() {
        check.ok("all have one")
    } else {
        check.note(format!("port {}: none (`guard: {{{}: source}}`)", open.join(", "), open[0]))
    }]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::{
        Severity,
        testing::{config, switch, worst},
    };

    #[test]
    fn keys_that_others_can_read_are_a_warning() {
        let of = |mode| {
            worst(Check::KeyFile, |facts| switch(facts).key_files = vec![("/etc/smoc/k".into(), mode)])
        };
        assert_eq!(
            (of(0o100_644).severity, of(0o100_644).command().as_deref()),
            (Severity::Warning, Some("chmod 600 /etc/smoc/k"))
        );
        assert_eq!(of(0o100_600).severity, Severity::Ok);
        assert_eq!(worst(Check::Key, |facts| config(facts).key_file = None).severity, Severity::Note);
    }

    #[test]
    fn ports_to_hosts_without_a_guard_are_named() {
        let open = worst(Check::Guard, |facts| config(facts).border.guards.clear());
        assert!(open.severity == Severity::Note && open.found.starts_with("port 9:"), "{open:?}");
        assert_eq!(worst(Check::Guard, |_| {}).severity, Severity::Ok);
    }
}
