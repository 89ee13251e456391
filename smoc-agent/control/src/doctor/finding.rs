//! What is said of a fact, and what would mend it.

use std::{fmt, path::PathBuf};

use serde::{Serialize, Serializer, ser::SerializeStruct};

use super::Check;
use crate::end_host::Limits;

/// How bad something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// As it should be.
    Ok,
    /// Worth knowing; nothing need be done.
    Note,
    /// It costs throughput, paths or safety in some cases.
    Warning,
    /// smoc or MPTCP does not work with it.
    Fault,
}

impl Severity {
    /// As it is printed.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Fault => "fault",
        }
    }
}

/// An offload of an interface that is switched as a whole, as `ethtool -K` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offload {
    /// Checksums of what is sent.
    Checksums,
    /// The tag of what is sent is put on by the device.
    SendVlan,
    /// The tag of what is received is taken off.
    ReceiveVlan,
    /// Received segments are merged by the device.
    Lro,
    /// Received segments are merged by the kernel.
    Gro,
}

impl Offload {
    /// Its keyword for `ethtool -K`.
    pub const fn keyword(self) -> &'static str {
        match self {
            Self::Checksums => "tx",
            Self::SendVlan => "txvlan",
            Self::ReceiveVlan => "rxvlan",
            Self::Lro => "lro",
            Self::Gro => "gro",
        }
    }

    /// The kernel's names of the features that it stands for (`netdev_features_strings`).
    pub const fn features(self) -> &'static [&'static str] {
        match self {
            Self::Checksums => {
                &["tx-checksum-ipv4", "tx-checksum-ip-generic", "tx-checksum-ipv6", "tx-checksum-sctp"]
            }
            Self::SendVlan => &["tx-vlan-hw-insert"],
            Self::ReceiveVlan => &["rx-vlan-hw-parse"],
            Self::Lro => &["rx-lro"],
            Self::Gro => &["rx-gro"],
        }
    }
}

/// A change that cuts no traffic and that `smoc doctor --fix` can therefore make. Displayed as the command that does the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fix {
    /// A kernel parameter.
    Setting {
        /// Its path below `/proc/sys`.
        path: String,
        /// What it should be.
        value: String,
    },
    /// The limits of the MPTCP path manager.
    Limits(Limits),
    /// An offload of a virtual interface: other drivers may reset the link when one is switched.
    Offload {
        /// The interface.
        interface: String,
        /// Which.
        offload: Offload,
        /// Whether it should be on.
        on: bool,
    },
    /// A BPF file system is missing here.
    MountBpf(PathBuf),
    /// Others may write to a directory of smoc's.
    Close(PathBuf),
}

impl Fix {
    /// Sets a kernel parameter.
    pub(super) fn setting(path: &str, value: impl Into<String>) -> Self {
        Self::Setting { path: path.to_owned(), value: value.into() }
    }
}

impl fmt::Display for Fix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Setting { path, value } => {
                let quote = if value.contains(char::is_whitespace) { "\"" } else { "" };
                write!(f, "sysctl -w {}={quote}{value}{quote}", path.replace('/', "."))
            }
            Self::Limits(limits) => write!(f, "ip mptcp limits set {limits}"),
            Self::Offload { interface, offload, on } => {
                let value = if *on { "on" } else { "off" };
                write!(f, "ethtool -K {interface} {} {value}", offload.keyword())
            }
            Self::MountBpf(at) => write!(f, "mount -t bpf bpf {}", at.display()),
            Self::Close(path) => write!(f, "chmod 700 {}", path.display()),
        }
    }
}

/// What would mend something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mend {
    /// Nothing need be done, or the finding itself says what.
    Nothing,
    /// A command that people run when traffic may suffer.
    ByHand(String),
    /// A change that is safe at any time.
    Safe(Fix),
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at.
    pub check: Check,
    /// How bad it is.
    pub severity: Severity,
    /// What there is.
    pub found: String,
    /// What would mend it.
    pub mend: Mend,
}

impl Finding {
    /// The command that mends it, if there is one.
    pub fn command(&self) -> Option<String> {
        match &self.mend {
            Mend::Nothing => None,
            Mend::ByHand(command) => Some(command.clone()),
            Mend::Safe(fix) => Some(fix.to_string()),
        }
    }

    /// What can be changed without a risk.
    pub fn fix(&self) -> Option<&Fix> {
        match &self.mend {
            Mend::Safe(fix) => Some(fix),
            Mend::Nothing | Mend::ByHand(_) => None,
        }
    }

    pub(super) fn by_hand(self, command: impl Into<String>) -> Self {
        Self { mend: Mend::ByHand(command.into()), ..self }
    }

    pub(super) fn safe(self, fix: Fix) -> Self {
        Self { mend: Mend::Safe(fix), ..self }
    }
}

impl Serialize for Finding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Finding", 7)?;
        fields.serialize_field("id", self.check.id())?;
        fields.serialize_field("side", self.check.side().name())?;
        fields.serialize_field("severity", &self.severity)?;
        fields.serialize_field("found", &self.found)?;
        fields.serialize_field("why", self.check.why())?;
        fields.serialize_field("command", &self.command())?;
        fields.serialize_field("safe", &self.fix().is_some())?;
        fields.end()
    }
}

impl Check {
    fn finding(self, severity: Severity, found: impl Into<String>) -> Finding {
        Finding { check: self, severity, found: found.into(), mend: Mend::Nothing }
    }

    pub(super) fn ok(self, found: impl Into<String>) -> Finding {
        self.finding(Severity::Ok, found)
    }

    pub(super) fn note(self, found: impl Into<String>) -> Finding {
        self.finding(Severity::Note, found)
    }

    pub(super) fn warning(self, found: impl Into<String>) -> Finding {
        self.finding(Severity::Warning, found)
    }

    pub(super) fn fault(self, found: impl Into<String>) -> Finding {
        self.finding(Severity::Fault, found)
    }

    /// What is wrong, or that nothing is.
    pub(super) fn all(
        self,
        wrong: impl IntoIterator<Item = Finding>,
        fine: impl Into<String>,
    ) -> Vec<Finding> {
        let wrong: Vec<Finding> = wrong.into_iter().collect();
        if wrong.is_empty() { vec![self.ok(fine)] } else { wrong }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fixes_are_shown_as_the_commands_that_do_the_same() {
        let shown = |fix: Fix| fix.to_string();
        assert_eq!(shown(Fix::setting("net/mptcp/enabled", "1")), "sysctl -w net.mptcp.enabled=1");
        assert_eq!(
            shown(Fix::setting("net/ipv4/tcp_rmem", "4 5 6")),
            "sysctl -w net.ipv4.tcp_rmem=\"4 5 6\""
        );
        let limits = Limits { subflows: 4, add_addr_accepted: 3 };
        assert_eq!(shown(Fix::Limits(limits)), "ip mptcp limits set subflows 4 add_addr_accepted 3");
        let tx = Fix::Offload { interface: "eth0".into(), offload: Offload::Checksums, on: false };
        assert_eq!(shown(tx), "ethtool -K eth0 tx off");
        assert_eq!(shown(Fix::MountBpf("/sys/fs/bpf".into())), "mount -t bpf bpf /sys/fs/bpf");
        assert_eq!(shown(Fix::Close("/sys/fs/bpf/smoc".into())), "chmod 700 /sys/fs/bpf/smoc");
    }

    #[test]
    fn json_has_id_reason_and_command() {
        let finding = Check::Enabled.fault("off").safe(Fix::setting("net/mptcp/enabled", "1"));
        let json = serde_json::to_value(&finding).unwrap();
        assert_eq!(json["id"], "mptcp-enabled");
        assert_eq!((&json["severity"], &json["safe"]), (&"fault".into(), &true.into()));
        assert_eq!(json["command"], "sysctl -w net.mptcp.enabled=1");
    }
}
