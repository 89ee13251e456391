//! Floods and long-lived connections in a lab, as `cargo xtask bench floods` and `bench churn` measure them whole. Needs root.

use anyhow::Result;
use smoc_tests::cli::Format;
use smoc_tests::floods::{ChurnOptions, Flood, churn, measure};
use smoc_tests::testing::can_run;

/// One in so many frames of each flood.
const PART: u32 = 20;

#[test]
fn floods_leave_connections_that_carry_data_alone() -> Result<()> {
    if !can_run("floods_leave_connections_that_carry_data_alone") {
        return Ok(());
    }
    let report = measure(&Flood::ALL, PART, true)?;
    println!("{report}");
    for outcome in &report.floods {
        outcome.check()?;
        let counted = match outcome.flood {
            Flood::Syns | Flood::Joins => "stateless",
            Flood::Udp => "plain",
            Flood::Neighbours => "not_for_us",
            Flood::Resets => "established",
            Flood::Forged => "pushed_by_host",
            Flood::Connections => "bound",
        };
        assert!(outcome.count(counted) > outcome.frames / 10, "{outcome:?}");
    }
    let explained =
        report.floods.iter().all(|it| it.warnings.iter().any(|said| said.contains("port_openings")));
    assert!(explained, "`smoc status` says what to do about what it hashed: {report:?}");
    Ok(())
}

/// The tables have no room for all that come and go in that time, and the living say something once a minute at most.
#[test]
fn long_lived_connections_outlive_short_ones() -> Result<()> {
    if !can_run("long_lived_connections_outlive_short_ones") {
        return Ok(());
    }
    let tables = Some("{connections: 8192, flows: 8192}".to_owned());
    let options = ChurnOptions { live: 5_000, rate: 150, seconds: 30, tables, format: Format::Table };
    let churned = churn::measure(&options, true)?;
    println!("{churned:?}");
    assert!(churned.live as u64 + churned.short > 8_192);
    churned.check()
}
