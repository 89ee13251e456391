//! `smoc-lab bench fabric`, as small as it can be: that every way forwards, not how quickly. Needs root.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use smoc_tests::testing::can_run;

/// What has to be on every kernel that smoc runs on.
const ALWAYS: [&str; 6] =
    ["cable", "bridge", "smoc transit", "smoc, UDP", "smoc, 256 subflows", "smoc, 64 Ki subflows"];

#[test]
fn bench_fabric_counts_at_the_far_end_the_frames_of_every_way() -> Result<()> {
    if !can_run("bench_fabric_counts_at_the_far_end_the_frames_of_every_way") {
        return Ok(());
    }
    let directory = tempfile::tempdir()?;
    let svg = directory.path().join("fabric.svg");
    let mut command = Command::new(env!("CARGO_BIN_EXE_smoc-lab"));
    command.args(["bench", "fabric", "--rounds", "1", "--seconds", "0", "--burst", "64", "--connects", "3"]);
    let output = command.args(["--json", "-", "--svg"]).arg(&svg).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let report: Value = serde_json::from_slice(&output.stdout)?;
    let rows = report["rows"].as_array().context("rows")?;
    for row in rows {
        let through = row["through"].as_array().context("through")?;
        if let Some(why) = row["missing"].as_str() {
            assert!(!why.is_empty() && through.is_empty(), "{row:#}");
            continue;
        }
        for through in through {
            let (sent, delivered) = (through["sent"].as_u64(), through["delivered"].as_u64());
            assert_eq!((sent, delivered), (Some(64), Some(64)), "{row:#}");
        }
    }
    for name in ALWAYS {
        let row = rows.iter().find(|row| row["name"] == name).context(name)?;
        assert!(row["missing"].is_null(), "{row:#}");
        assert!(row["through"].as_array().is_some_and(|through| !through.is_empty()), "{row:#}");
    }
    let connecting = report["connecting"].as_array().context("connecting")?;
    assert_eq!(connecting.len(), 2, "TCP and MPTCP: {report:#}");
    assert!(report["verdicts"].as_array().is_some_and(|verdicts| verdicts.len() == 5), "{report:#}");

    let picture = fs::read_to_string(&svg)?;
    let picture = roxmltree::Document::parse(&picture)?;
    let texts: Vec<&str> = picture.descendants().filter_map(|node| node.text()).map(str::trim).collect();
    for name in ALWAYS {
        assert!(texts.contains(&name), "{name} is not in the picture");
    }
    Ok(())
}
