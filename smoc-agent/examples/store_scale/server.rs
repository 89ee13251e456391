//! A real etcd, and what it costs.

use std::{
    fs::{self, File},
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

/// Ticks of a CPU's time a second, as /proc counts it (USER_HZ, which is 100 on every architecture of Linux).
const TICKS: u64 = 100;
const PATIENCE: Duration = Duration::from_secs(60);

/// Since it was started.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    /// Time of a CPU.
    pub cpu: Duration,
    /// Bytes of memory now.
    pub resident: u64,
}

impl std::ops::Sub for Cost {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self { cpu: self.cpu.saturating_sub(before.cpu), resident: self.resident }
    }
}

pub struct Server {
    running: Child,
    client: u16,
    peer: u16,
    directory: tempfile::TempDir,
    /// Of those that were killed.
    spent: Duration,
}

impl Server {
    pub fn start() -> Result<Self> {
        let free = || Ok::<_, std::io::Error>(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port());
        let (client, peer) = (free()?, free()?);
        let directory = tempfile::tempdir()?;
        let running = spawn(directory.path(), client, peer)?;
        let server = Self { running, client, peer, directory, spent: Duration::ZERO };
        server.wait()?;
        Ok(server)
    }

    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.client)
    }

    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Kills it and starts it again.
    pub fn restart(&mut self) -> Result<()> {
        self.spent = self.cost().cpu;
        self.running.kill()?;
        self.running.wait()?;
        self.running = spawn(self.directory.path(), self.client, self.peer)?;
        self.wait()
    }

    fn wait(&self) -> Result<()> {
        let end = Instant::now() + PATIENCE;
        while self.revision().is_err() {
            ensure!(Instant::now() < end, "etcd does not answer");
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }

    pub fn revision(&self) -> Result<i64> {
        let status = Command::new("etcdctl")
            .env("ETCDCTL_API", "3")
            .args(["--endpoints", &self.endpoint(), "endpoint", "status", "-w", "json"])
            .output()
            .context("etcdctl (Debian: etcd-client)")?;
        let status: serde_json::Value = serde_json::from_slice(&status.stdout)?;
        status[0]["Status"]["header"]["revision"].as_i64().context("no revision")
    }

    pub fn cost(&self) -> Cost {
        let read = |file: &str| {
            fs::read_to_string(format!("/proc/{}/{file}", self.running.id())).unwrap_or_default()
        };
        // proc(5): user and system time are fields 14 and 15 of stat, of which the second is in parentheses.
        let stat = read("stat");
        let fields: Vec<&str> =
            stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_ascii_whitespace().collect();
        let ticks: u64 = [11, 12].iter().filter_map(|at| fields.get(*at)?.parse::<u64>().ok()).sum();
        let pages = read("statm").split_ascii_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok());
        Cost {
            cpu: self.spent + Duration::from_millis(ticks * 1000 / TICKS),
            resident: pages.unwrap_or(0) * 4096,
        }
    }
}

fn spawn(directory: &Path, client: u16, peer: u16) -> Result<Child> {
    let (client, peer) = (format!("http://127.0.0.1:{client}"), format!("http://127.0.0.1:{peer}"));
    let log = File::options().create(true).append(true).open(directory.join("etcd.log"))?;
    Command::new("etcd")
        .args(["--name", "scale", "--logger", "zap", "--data-dir"])
        .arg(directory.join("etcd"))
        .args(["--listen-client-urls", &client, "--advertise-client-urls", &client])
        .args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer])
        .args(["--initial-cluster", &format!("scale={peer}")])
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
        .context("etcd (Debian: etcd-server)")
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended.
        drop(self.running.kill());
        drop(self.running.wait());
    }
}
