//! Capacities, latencies and costs as others write them.

use super::*;

fn one(name: &str, value: &str) -> Attributes {
    Attributes::from([(name.to_owned(), value.to_owned())])
}

#[test]
fn capacities_are_read_as_others_write_them() {
    let units = Units { capacity: Some("Mbps".into()), latency: None };
    for (name, value, answer) in [
        ("capacity", "10Gbit", "10Gbit"),
        ("Bandwidth", "10 Gbps", "10Gbit"),
        ("band_width", "1.5 Gb/s", "1500Mbit"),
        ("bw", "10", "10Mbit"),
        ("bw", "2.5", "2500kbit"),
        ("LinkSpeedRaw", "1e10", "10Gbit"),
        ("LinkSpeed", "10G", "10Gbit"),
        ("speed", "100M", "100Mbit"),
        ("rate", "1 MB/s", "8Mbit"),
        ("capacity", "1000", "1Gbit"),
        ("pre_installed_capacity", "9920.0", "9920Mbit"),
    ] {
        let Reading::Is(capacity) = capacity(&one(name, value), &units) else { panic!("{name}: {value}") };
        assert_eq!(capacity.to_string(), answer, "{name}: {value}");
    }
    let none = Units::default();
    assert_eq!(capacity(&one("capacity", "10"), &none), Reading::Unclear("capacity \"10\"".into()));
    assert_eq!(capacity(&one("pre_installed_capacity", "0.00"), &none), Reading::Absent);
    for value in ["fast", "-1Gbit", "10 furlongs", "0Mbit", "1e300Gbit", "NaN"] {
        assert!(matches!(capacity(&one("capacity", value), &none), Reading::Faulty(_)), "{value}");
        assert!(matches!(capacity(&one("LinkSpeed", value), &none), Reading::Unclear(_)), "{value}");
    }
}

#[test]
fn the_speed_of_the_topology_zoo_has_its_unit_beside_it() {
    let attributes =
        Attributes::from([("LinkSpeed".into(), "10".into()), ("LinkSpeedUnits".into(), "G".into())]);
    let Reading::Is(capacity) = capacity(&attributes, &Units::default()) else { panic!() };
    assert_eq!(capacity.to_string(), "10Gbit");
}

#[test]
fn latencies_are_read_as_others_write_them() {
    let units = Units { capacity: None, latency: Some("ms".into()) };
    for (name, value, answer) in [
        ("delay", "5ms", "5ms"),
        ("Delay", "0.5 ms", "500us"),
        ("latency", "10us", "10us"),
        ("latency", "10 µs", "10us"),
        ("delay", "2", "2ms"),
        ("delay", "0.0001", "100ns"),
    ] {
        let Reading::Is(latency) = latency(&one(name, value), &units) else { panic!("{name}: {value}") };
        assert_eq!(latency.to_string(), answer, "{name}: {value}");
    }
    assert_eq!(latency(&one("delay", "5"), &Units::default()), Reading::Unclear("delay \"5\"".into()));
    for value in ["soon", "-1ms", "61s", "5 m"] {
        assert!(matches!(latency(&one("latency", value), &units), Reading::Faulty(_)), "{value}");
    }
}

#[test]
fn a_unit_behind_a_name_is_that_of_its_numbers() {
    let none = Units { capacity: Some("Kbps".into()), latency: Some("s".into()) };
    for (name, value, answer) in [
        ("bandwidth_mbps", "100", "100Mbit"),
        ("capacityGbps", "2.5", "2500Mbit"),
        ("Bandwidth [Mbit/s]", "10", "10Mbit"),
        ("link-speed-gbit", "1", "1Gbit"),
        ("rate_MBps", "1", "8Mbit"),
        ("bw_kbit", "64", "64kbit"),
        ("speed_mbps", "1Gbit", "1Gbit"),
    ] {
        let Reading::Is(capacity) = capacity(&one(name, value), &none) else { panic!("{name}: {value}") };
        assert_eq!(capacity.to_string(), answer, "{name}: {value}");
        assert!(is_of_edges(name), "{name}");
    }
    for (name, value, answer) in [
        ("delay_ms", "5", "5ms"),
        ("latencyUs", "10", "10us"),
        ("propagation_delay (ms)", "0.5", "500us"),
        ("delay_s", "0.25", "250ms"),
        ("link_delay_nanoseconds", "7", "7ns"),
        ("delay_ms", "3us", "3us"),
        ("length_km", "200", "1ms"),
        ("distance (m)", "2000", "10us"),
    ] {
        let Reading::Is(latency) = latency(&one(name, value), &none) else { panic!("{name}: {value}") };
        assert_eq!(latency.to_string(), answer, "{name}: {value}");
        assert!(is_of_edges(name), "{name}");
    }
    for name in ["delays", "delay_hours", "rates", "capacity_m", "length", "dist", "cost_ms", "rtt_ms"] {
        assert!(!is_of_edges(name) && latency(&one(name, "5"), &none) == Reading::Absent, "{name}");
    }
    let both = Attributes::from([("delay_ms".into(), "5".into()), ("latency".into(), "1us".into())]);
    assert!(matches!(latency(&both, &none), Reading::Is(latency) if latency.to_string() == "1us"));
}

#[test]
fn costs_may_have_a_fraction_and_must_be_positive() {
    assert_eq!(cost(&one("weight", "3")), Reading::Is(3.0));
    assert_eq!(cost(&one("metric", "1.5")), Reading::Is(1.5));
    assert_eq!(cost(&one("length", "3")), Reading::Absent);
    for value in ["0", "-1", "x", "4294967296", "NaN", "inf"] {
        let Reading::Faulty(message) = cost(&one("Weight", value)) else { panic!("{value}") };
        assert!(message.starts_with(&format!("Weight: \"{value}\" is no cost")), "{message}");
    }
}
