//! `smoc fabric config`: what is the same for all switches, in the fabric's etcd.

use std::path::PathBuf;

use serde::Serialize;
use smoc_control::{config::Shared, store::Key};
use smoc_paths::input::lines;

use super::{
    Failure, Format, input, print, print_json,
    store::{Store, StoreArgs, later_than},
};

/// Arguments of `smoc fabric config`.
#[derive(clap::Args, Debug)]
#[command(after_help = HELP)]
pub(super) struct ConfigArgs {
    #[command(subcommand)]
    verb: Verb,
}

const HELP: &str = "\
What agents read from the store, and heed where the file of a switch says nothing, value by value; `smoc status` shows what a
switch's own file has otherwise. Keys: hellos.*, openings, paths.*, port_openings, port_width, prefixes, probes.*, spread, as in the
configuration of a switch (docs/configuration.md).

Examples:
  smoc fabric config show --etcd https://10.0.0.1:2379 --ca ca.pem --cert ann.pem --key ann.key
  smoc fabric config set hellos.interval 20ms --etcd ...
  smoc fabric config set prefixes '[10.0.0.0/16, \"2001:db8::/32\"]' --etcd ...
  smoc fabric config unset hellos --etcd ...
  smoc fabric config apply fabric.yaml --etcd ...";

#[derive(clap::Subcommand, Debug)]
enum Verb {
    /// Show what the fabric says for all switches
    Show(Common),
    /// Say one value
    Set {
        /// As hellos.interval
        #[arg(value_name = "KEY")]
        name: String,
        /// As in a file: 20ms, [10.0.0.0/16], {interval: 20ms, multiplier: 5}
        value: String,
        #[command(flatten)]
        common: Common,
    },
    /// Leave one value, or a group such as hellos, to the switches
    Unset {
        /// As hellos.interval, or hellos
        #[arg(value_name = "KEY")]
        name: String,
        #[command(flatten)]
        common: Common,
    },
    /// Say what a file says, and nothing else
    Apply {
        /// Keys and values (YAML); - for standard input
        file: PathBuf,
        #[command(flatten)]
        common: Common,
    },
}

#[derive(clap::Args, Debug)]
struct Common {
    #[command(flatten)]
    store: StoreArgs,
    /// Write only if it is still as of this revision, which `show` tells
    #[arg(long, value_name = "N")]
    revision: Option<i64>,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Serialize)]
struct View {
    config: serde_json::Value,
    written: u64,
    revision: i64,
    /// Whether this call has changed it.
    changed: bool,
}

/// `smoc fabric config`.
///
/// # Errors
/// The store refuses or is away, or what is to be said cannot be.
pub(super) fn run(args: &ConfigArgs) -> Result<(), Failure> {
    let bad = |why: String| Failure::bad_input(anyhow::anyhow!(why));
    match &args.verb {
        Verb::Show(common) => {
            let store = common.store.open()?;
            let (shared, written) = store.shared()?;
            let revision = store.operator().revision_of(&Key::Config);
            show(common, &shared, View { config: shared.to_json(), written, revision, changed: false })
        }
        Verb::Set { name, value, common } => change(common, |shared| shared.with(name, value).map_err(bad)),
        Verb::Unset { name, common } => change(common, |shared| {
            let less = shared.without(name);
            let is_said = less != *shared;
            let missing =
                || bad(format!("{name}: the fabric does not say it: `smoc fabric config show` has all"));
            is_said.then_some(less).ok_or_else(missing)
        }),
        Verb::Apply { file, common } => {
            let text = input::text(file).map_err(|error| bad(format!("{}: {error}", file.display())))?;
            let shared = Shared::from_yaml(&text).map_err(|faults| bad(lines(file, &faults)))?;
            let mut store = common.store.open()?;
            let before = store.replaceable_shared()?;
            write(common, &mut store, before, shared)
        }
    }
}

/// Reads, changes, and writes unless somebody else has meanwhile.
fn change(common: &Common, to: impl FnOnce(&Shared) -> Result<Shared, Failure>) -> Result<(), Failure> {
    let mut store = common.store.open()?;
    let before = store.shared()?;
    let shared = to(&before.0)?;
    write(common, &mut store, before, shared)
}

fn write(
    common: &Common,
    store: &mut Store,
    (before, last): (Shared, u64),
    shared: Shared,
) -> Result<(), Failure> {
    let revision = store.operator().revision_of(&Key::Config);
    store.expect(revision, common.revision, "the fabric's configuration")?;
    let mut view =
        View { config: shared.to_json(), written: last, revision, changed: shared != before || last == 0 };
    if view.changed {
        view.written = later_than(std::iter::once(last));
        view.revision = store.put(&Key::Config, shared.to_bytes(view.written), &[])?;
    }
    show(common, &shared, view)
}

fn show(common: &Common, shared: &Shared, view: View) -> Result<(), Failure> {
    if common.format == Format::Json {
        return print_json(&view);
    }
    let note = if view.changed { "; agents follow as soon as they hear of it" } else { "" };
    match shared.is_empty() {
        true => {
            print(&format!("# the fabric says nothing for all switches (revision {}{note})", view.revision))
        }
        false => print(format!("# revision {}{note}\n{}", view.revision, shared.to_yaml()).trim_end()),
    }
}
