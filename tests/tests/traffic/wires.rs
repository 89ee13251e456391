//! Links carry what they should, break as told, and the networks that smoc is compared with work.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::Result;
use smoc_tests::lab::{Condition, Direction, Lab, Routing};
use smoc_tests::testing::{lab_for, options};
use smoc_tests::traffic::{Amount, Answer, Datagrams, Family, Protocol, Transfer, address, ping};

const SECOND: Duration = Duration::from_secs(1);

fn echo(lab: &Lab, from: &str, to: &str, family: Family) -> Result<bool> {
    let address: IpAddr = address(lab.plan().host(to)?, family)?;
    let answer = ping(&lab.namespace(from)?, address, 56, None, Duration::from_millis(500))?;
    Ok(answer == Some(Answer::Echo))
}

fn carrier(lab: &Lab, switch: &str, port: &str) -> Result<bool> {
    let state =
        smoc_tests::command::run(lab.namespace(switch)?.command("ip").args(["-br", "link", "show", port]))?;
    Ok(!state.contains("LOWERLAYERDOWN") && !state.contains("NO-CARRIER"))
}

/// How many of 1000 small datagrams from h1 reach h2.
fn of_a_thousand(lab: &Lab) -> Result<u32> {
    let datagrams = Datagrams::start(lab, "h1", "h2", Family::V4, 1000, 100, Duration::from_micros(500))?;
    Ok(datagrams.finish()?.received)
}

#[test]
fn a_wire_holds_tcp_to_its_capacity_and_lets_it_fill_that() -> Result<()> {
    let options = options("demo.yaml", Routing::Bridge);
    let Some(lab) = lab_for("a_wire_holds_tcp_to_its_capacity_and_lets_it_fill_that", &options)? else {
        return Ok(());
    };
    for family in [Family::V4, Family::V6] {
        let amount = Amount::Time(3 * SECOND);
        let received = Transfer::between(&lab, "h1", "h2", family, Protocol::Tcp, amount)?.run()?;
        let mbit = received.goodput(SECOND, 3 * SECOND) / 1e6;
        // It fills 94 % of it, but not on a machine that is busy with something else.
        assert!((50.0..=100.0).contains(&mbit), "{family:?}: {mbit:.1} Mbit/s over 100 Mbit/s");
    }
    Ok(())
}

#[test]
fn ecmp_spreads_subflows_over_all_paths_and_delivers_every_byte() -> Result<()> {
    let options = options("demo.yaml", Routing::Ecmp);
    let Some(lab) = lab_for("ecmp_spreads_subflows_over_all_paths_and_delivers_every_byte", &options)? else {
        return Ok(());
    };
    assert!(echo(&lab, "h1", "h2", Family::V4)? && echo(&lab, "h2", "h1", Family::V6)?);
    let mut used = 0;
    for _ in 0..8 {
        let transfer =
            Transfer::between(&lab, "h1", "h2", Family::V4, Protocol::Mptcp, Amount::Bytes(8 << 20))?;
        assert_eq!(transfer.run()?.bytes, 8 << 20);
        // The first four links are those of e1.
        used = lab.loads()?[..4].iter().filter(|load| load.frames_from_a > 1000).count();
        if used == 4 {
            break;
        }
    }
    assert_eq!(used, 4, "32 subflows hashed over four paths");
    Ok(())
}

#[test]
fn links_break_and_heal_as_told() -> Result<()> {
    let Some(mut lab) = lab_for("links_break_and_heal_as_told", &options("line.yaml", Routing::Bridge))?
    else {
        return Ok(());
    };
    let link = "e1:1-m1:1";
    assert!(echo(&lab, "h1", "h2", Family::V4)? && echo(&lab, "h1", "h3", Family::V6)?);

    lab.set_link(link, Condition::Down, Direction::Both)?;
    assert!(!carrier(&lab, "e1", "p1")? && !carrier(&lab, "m1", "p1")?);
    assert!(!echo(&lab, "h1", "h2", Family::V4)?);

    lab.set_link(link, Condition::Blackhole, Direction::Both)?;
    assert!(carrier(&lab, "e1", "p1")? && carrier(&lab, "m1", "p1")?);
    assert!(!echo(&lab, "h1", "h2", Family::V4)?);

    lab.set_link(link, Condition::Up, Direction::Both)?;
    assert!(echo(&lab, "h1", "h2", Family::V4)?);
    assert_eq!(of_a_thousand(&lab)?, 1000);
    assert!(lab.set_link(link, Condition::Down, Direction::AToB).is_err());
    Ok(())
}

#[test]
fn loss_and_black_holes_can_have_a_direction() -> Result<()> {
    let options = options("line.yaml", Routing::Bridge);
    let Some(mut lab) = lab_for("loss_and_black_holes_can_have_a_direction", &options)? else {
        return Ok(());
    };
    let link = "e1:1-m1:1";
    assert!(echo(&lab, "h1", "h2", Family::V4)?, "both hosts know each other's MAC from here on");

    lab.set_link(link, Condition::Blackhole, Direction::AToB)?;
    assert_eq!(of_a_thousand(&lab)?, 0);
    lab.set_link(link, Condition::Up, Direction::AToB)?;
    lab.set_link(link, Condition::Blackhole, Direction::BToA)?;
    assert_eq!(of_a_thousand(&lab)?, 1000);

    lab.set_link(link, Condition::Loss(30), Direction::AToB)?;
    let received = of_a_thousand(&lab)?;
    // Five standard deviations of a binomial distribution.
    assert!((628..=772).contains(&received), "{received} of 1000 at 30 % loss");
    lab.set_link(link, Condition::Loss(30), Direction::BToA)?;
    lab.set_link(link, Condition::Up, Direction::AToB)?;
    assert_eq!(of_a_thousand(&lab)?, 1000);
    Ok(())
}
