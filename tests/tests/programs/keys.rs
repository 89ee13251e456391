//! Keys are nowhere: a handshake with keys that are known passes two edges, and then nothing that smoc has left anywhere
//! holds them. Needs root.

use std::{
    fs::{self, File},
    os::unix::fs::FileExt,
};

use anyhow::{Context, Result};
use aya::{
    Pod,
    maps::{HashMap, Map, MapData, PerCpuArray, loaded_maps},
};
use smoc_common::{
    map::{
        Connection, Flow, FlowKey, FlowKeyV4, HalfOpen, Host, Openings, SCRATCH_BYTES, TokenBinding, TokenKey,
    },
    token::{Version, derive},
    wire::ip::Address,
};
use smoc_tests::{
    command::batch,
    lab::{Lab, Routing, pin_directory},
    testing::{lab_for, options, wait_until},
    traffic::{Ports, Station, join_connection, open_connection},
};

const KEYS: (u64, u64) = (0x22fc_33ed_9d78_b9e7, 0x8b17_6a4c_f035_91de);
const EDGES: [&str; 2] = ["e1", "e2"];

/// The key as it can stand in memory: in either byte order, whole or by halves.
fn forms(key: u64, is_whole: bool) -> Vec<Vec<u8>> {
    if is_whole {
        return vec![key.to_be_bytes().to_vec(), key.to_le_bytes().to_vec()];
    }
    let halves = [(key >> 32) as u32, key as u32];
    halves.iter().flat_map(|half| [half.to_be_bytes().to_vec(), half.to_le_bytes().to_vec()]).collect()
}

/// Whether either key is among these bytes.
fn holds_key(bytes: &[u8], is_whole: bool) -> bool {
    let forms = [KEYS.0, KEYS.1].into_iter().flat_map(|key| forms(key, is_whole));
    forms.into_iter().any(|form| holds(bytes, &form))
}

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    let first = part[0];
    let mut from = 0;
    while let Some(at) = bytes[from..].iter().position(|byte| *byte == first) {
        if bytes[from + at..].starts_with(part) {
            return true;
        }
        from += at + 1;
    }
    false
}

fn pinned(switch: &str, map: &str) -> Result<Map> {
    Ok(Map::from_map_data(MapData::from_pin(pin_directory(switch).join(map))?)?)
}

/// Every byte of a hash table.
fn table<const K: usize, const V: usize>(switch: &str, map: &str) -> Result<Vec<u8>>
where
    [u8; K]: Pod,
    [u8; V]: Pod,
{
    let table: HashMap<MapData, [u8; K], [u8; V]> = pinned(switch, map)?.try_into()?;
    let mut bytes = Vec::new();
    for entry in table.iter() {
        let (key, value) = entry?;
        bytes.extend(key);
        bytes.extend(value);
    }
    Ok(bytes)
}

/// Every byte of what the programs write, by the map's name.
fn maps(switch: &str) -> Result<Vec<(&'static str, Vec<u8>)>> {
    const KEY: usize = size_of::<FlowKey>();
    const FLOW: usize = size_of::<Flow>();
    const HALF: usize = size_of::<HalfOpen>();
    const V4: usize = size_of::<FlowKeyV4>();
    const HOST: usize = size_of::<Host>();
    const CONNECTION: usize = size_of::<Connection>();
    const TOKEN: usize = size_of::<TokenKey>();
    const BINDING: usize = size_of::<TokenBinding>();
    let openings: PerCpuArray<MapData, [u8; size_of::<Openings>()]> =
        pinned(switch, "OPENINGS")?.try_into()?;
    let counters: PerCpuArray<MapData, u64> = pinned(switch, "COUNTERS")?.try_into()?;
    let mut counted = Vec::new();
    for counter in 0..counters.len() {
        counted.extend(counters.get(&counter, 0)?.iter().flat_map(|count| count.to_le_bytes()));
    }
    Ok(vec![
        ("HALF_OPEN", table::<KEY, HALF>(switch, "HALF_OPEN")?),
        ("FLOWS_V4", table::<V4, FLOW>(switch, "FLOWS_V4")?),
        ("FLOWS", table::<KEY, FLOW>(switch, "FLOWS")?),
        ("CONNECTIONS", table::<8, CONNECTION>(switch, "CONNECTIONS")?),
        ("TOKENS", table::<TOKEN, BINDING>(switch, "TOKENS")?),
        ("HOSTS", table::<{ size_of::<Address>() }, HOST>(switch, "HOSTS")?),
        ("OPENINGS", openings.get(&0, 0)?.iter().flatten().copied().collect()),
        ("COUNTERS", counted),
    ])
}

/// The scratch of every set of programs that is loaded, and what is in constants beside it.
fn scratches() -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut found = 0;
    for info in loaded_maps() {
        let info = info?;
        if info.name_as_str() != Some("SCRATCH") {
            continue;
        }
        let map = Map::from_map_data(MapData::from_id(info.id())?)?;
        let scratch: PerCpuArray<MapData, [u8; SCRATCH_BYTES]> = map.try_into()?;
        bytes.extend(scratch.get(&0, 0)?.iter().flatten());
        found += 1;
    }
    anyhow::ensure!(found >= EDGES.len(), "every switch has a scratch, and {found} were found");
    Ok(bytes)
}

/// Regions of a process's memory that hold a key: its heap and stacks, and the rings that it has mapped.
fn memory_with_key(pid: i32) -> Result<Vec<String>> {
    let memory = File::open(format!("/proc/{pid}/mem"))?;
    let mut with_key = Vec::new();
    let mut read = 0;
    for line in fs::read_to_string(format!("/proc/{pid}/maps"))?.lines() {
        let (range, rest) = line.split_once(' ').context("a region")?;
        let (from, to) = range.split_once('-').context("a range")?;
        let [from, to] = [u64::from_str_radix(from, 16)?, u64::from_str_radix(to, 16)?];
        if !rest.starts_with('r') || to - from > 1 << 30 {
            continue;
        }
        let mut bytes = vec![0; (to - from) as usize];
        // Some of what the kernel maps in cannot be read by others.
        if memory.read_exact_at(&mut bytes, from).is_ok() {
            read += bytes.len();
            with_key.extend(holds_key(&bytes, true).then(|| line.to_owned()));
        }
    }
    anyhow::ensure!(read > 1 << 20, "only {read} bytes of process {pid} could be read");
    Ok(with_key)
}

fn answers(lab: &Lab, switch: &str, token: &str) -> Result<String> {
    let questions: [&[&str]; 3] = [&["conns"], &["status"], &["explain", "--token", token]];
    questions.iter().map(|question| Ok(lab.ask(switch, question)?.to_string())).collect()
}

#[test]
fn nothing_holds_the_keys_of_a_connection_whose_tokens_are_known() -> Result<()> {
    let test = "nothing_holds_the_keys_of_a_connection_whose_tokens_are_known";
    let Some(lab) = lab_for(test, &options("demo.yaml", Routing::Smoc))? else { return Ok(()) };
    for host in ["h1", "h2"] {
        // The kernels must not answer what they did not ask for.
        batch("ip", &lab.namespace(host)?, &["address flush dev eth0 scope global".to_owned()])?;
    }
    let stations = lab.plan().hosts.iter().map(Station::at).collect::<Result<Vec<_>>>()?;
    let [client, server, ..] = &stations[..] else { panic!("two hosts") };
    let token = derive(Version::V1, KEYS.1);
    open_connection(client, server, Ports { client: 4000, server: 80 }, KEYS)?;
    join_connection(client, server, Ports { client: 4001, server: 80 }, token, 1)?;
    wait_until(|| Ok(lab.counter("e1", "joined")? == 1 && lab.counter("e2", "joined")? == 1))?;
    for switch in EDGES {
        let maps = maps(switch)?;
        // That the search finds anything is shown by the token, which stands beside where a key could.
        let tokens = &maps.iter().find(|(name, _)| *name == "TOKENS").context("TOKENS")?.1;
        assert!(holds(tokens, &token.to_le_bytes()), "{switch} knows the token");
        for (name, bytes) in &maps {
            assert!(!holds_key(bytes, false), "{name} of {switch} holds a key");
        }
        let hex = format!("{token:08x}");
        let said = answers(&lab, switch, &hex)? + &lab.log(switch)?;
        assert!(said.contains(&hex), "{switch} tells the token");
        for key in [KEYS.0, KEYS.1] {
            assert!(
                !said.contains(&format!("{key:x}")) && !said.contains(&key.to_string()),
                "{switch}: {said}"
            );
        }
        for pid in lab.pids(switch)? {
            assert_eq!(memory_with_key(pid)?, Vec::<String>::new(), "memory of {switch}'s agent");
        }
    }
    assert!(!holds_key(&scratches()?, false), "a scratch holds a key");
    Ok(())
}
