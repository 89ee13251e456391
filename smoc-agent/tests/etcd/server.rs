//! A real etcd of one or more members on the loopback interface, ended with the value that stands for it.

use std::{
    fs::File,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

/// A member that is running, or was killed.
struct Member {
    running: Option<Child>,
    data: PathBuf,
    client: u16,
    peer: u16,
}

/// Certificates of a cluster, if it has any.
#[derive(Clone)]
pub struct Tls {
    pub directory: PathBuf,
}

pub struct Cluster {
    members: Vec<Member>,
    directory: tempfile::TempDir,
    tls: Option<Tls>,
    /// Generations of restored data.
    restored: usize,
}

/// A port that nobody uses.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Cluster {
    /// Starts so many members.
    pub fn start(count: usize) -> Self {
        let mut cluster = Self::plan(count, tempfile::tempdir().unwrap(), None);
        cluster.start_all();
        cluster
    }

    /// Starts one member that believes in the certificates of a directory, which has `ca`, `server` and `root`.
    pub fn start_secured(tls: Tls) -> Self {
        let mut cluster = Self::plan(1, tempfile::tempdir().unwrap(), Some(tls));
        cluster.start_all();
        cluster
    }

    fn plan(count: usize, directory: tempfile::TempDir, tls: Option<Tls>) -> Self {
        let member = |place| Member {
            running: None,
            data: directory.path().join(format!("m{place}")),
            client: free_port(),
            peer: free_port(),
        };
        Self { members: (0..count).map(member).collect(), directory, tls, restored: 0 }
    }

    fn start_all(&mut self) {
        for place in 0..self.members.len() {
            self.start_member(place);
        }
        self.wait();
    }

    pub fn start_member(&mut self, place: usize) {
        let scheme = self.scheme();
        let initial: Vec<String> = self.initial();
        let member = &self.members[place];
        let client = format!("{scheme}://127.0.0.1:{}", member.client);
        let peer = format!("http://127.0.0.1:{}", member.peer);
        let log = File::create(self.directory.path().join(format!("m{place}.log"))).unwrap();
        let mut command = Command::new(program("etcd"));
        command
            .args(["--name", &format!("m{place}"), "--data-dir", member.data.to_str().unwrap()])
            .args(["--listen-client-urls", &client, "--advertise-client-urls", &client])
            .args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer])
            .args(["--initial-cluster", &initial.join(","), "--logger", "zap"]);
        if let Some(Tls { directory }) = &self.tls {
            let file = |name: &str| directory.join(name).display().to_string();
            command.args(["--client-cert-auth", "--trusted-ca-file", &file("ca.pem")]).args([
                "--cert-file",
                &file("server.pem"),
                "--key-file",
                &file("server.key"),
            ]);
        }
        let child = command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn();
        self.members[place].running =
            Some(child.expect("etcd starts (Debian: apt-get install etcd-server etcd-client)"));
    }

    fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }

    fn initial(&self) -> Vec<String> {
        let members = self.members.iter().enumerate();
        members.map(|(place, member)| format!("m{place}=http://127.0.0.1:{}", member.peer)).collect()
    }

    /// Waits until a write can be committed.
    pub fn wait(&self) {
        let end = Instant::now() + Duration::from_secs(60);
        while !self.ctl(&["endpoint", "health"]).status.success() {
            assert!(
                Instant::now() < end,
                "etcd does not become healthy: see {}",
                self.directory.path().display()
            );
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// Kills a member, as a power failure would.
    pub fn kill(&mut self, place: usize) {
        if let Some(mut child) = self.members[place].running.take() {
            // It may have ended by itself.
            drop(child.kill());
            child.wait().unwrap();
        }
    }

    pub fn endpoint(&self, place: usize) -> String {
        format!("{}://127.0.0.1:{}", self.scheme(), self.members[place].client)
    }

    pub fn endpoints(&self) -> Vec<String> {
        (0..self.members.len()).map(|place| self.endpoint(place)).collect()
    }

    /// The place of the member that leads.
    pub fn leader(&self) -> usize {
        let leads = |place: &usize| {
            let status = self.ctl_at(*place, &["endpoint", "status", "-w", "json"]);
            let status: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap();
            let status = &status[0]["Status"];
            status["leader"] == status["header"]["member_id"]
        };
        (0..self.members.len()).find(leads).expect("a member leads")
    }

    /// Runs etcdctl against all members that run, as root where there are users.
    pub fn ctl(&self, arguments: &[&str]) -> Output {
        let up = self.members.iter().enumerate().filter(|(_, member)| member.running.is_some());
        let endpoints: Vec<String> = up.map(|(place, _)| self.endpoint(place)).collect();
        self.etcdctl(&endpoints.join(","), "root").args(arguments).output().unwrap()
    }

    fn ctl_at(&self, place: usize, arguments: &[&str]) -> Output {
        self.etcdctl(&self.endpoint(place), "root").args(arguments).output().unwrap()
    }

    /// `etcdctl` with the environment that leads it here.
    pub fn etcdctl(&self, endpoints: &str, user: &str) -> Command {
        let mut command = Command::new(program("etcdctl"));
        self.environment(&mut command, endpoints, user);
        command
    }

    /// Sets what etcdctl reads.
    pub fn environment(&self, command: &mut Command, endpoints: &str, user: &str) {
        command.env("ETCDCTL_API", "3").env("ETCDCTL_ENDPOINTS", endpoints);
        if let Some(Tls { directory }) = &self.tls {
            command
                .env("ETCDCTL_CACERT", directory.join("ca.pem"))
                .env("ETCDCTL_CERT", directory.join(format!("{user}.pem")))
                .env("ETCDCTL_KEY", directory.join(format!("{user}.key")));
        }
    }

    /// The records under a prefix as etcdctl shows them: names and contents.
    pub fn records(&self, prefix: &str) -> Vec<(String, String)> {
        let output = self.ctl(&["get", "--prefix", prefix]);
        let text = String::from_utf8(output.stdout).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        lines.chunks_exact(2).map(|pair| (pair[0].to_owned(), pair[1].to_owned())).collect()
    }

    pub fn back_up(&self) -> PathBuf {
        let file = self.directory.path().join("backup");
        let done = self.ctl_at(0, &["snapshot", "save", file.to_str().unwrap()]);
        assert!(done.status.success(), "{done:?}");
        file
    }

    /// Puts a backup in the place of what the only member has, and starts it again.
    pub fn restore(&mut self, backup: &Path) {
        self.kill(0);
        self.restored += 1;
        let data = self.directory.path().join(format!("restored{}", self.restored));
        let peer = format!("http://127.0.0.1:{}", self.members[0].peer);
        let initial = self.initial().join(",");
        // Later versions have a program of its own for that.
        let done = Command::new(if has("etcdutl") { program("etcdutl") } else { program("etcdctl") })
            .env("ETCDCTL_API", "3")
            .args(["snapshot", "restore", backup.to_str().unwrap(), "--name", "m0"])
            .args(["--initial-cluster", &initial, "--initial-advertise-peer-urls", &peer])
            .args(["--data-dir", data.to_str().unwrap()])
            .output()
            .unwrap();
        assert!(done.status.success(), "{done:?}");
        self.members[0].data = data;
        self.start_member(0);
        self.wait();
    }
}

/// A program of etcd: the one that `SMOC_ETCD` names, what lies beside it, or what is on the path.
fn program(name: &str) -> PathBuf {
    let server = std::env::var_os("SMOC_ETCD").map(PathBuf::from);
    let of_server = server.map(|server| if name == "etcd" { server } else { server.with_file_name(name) });
    of_server.filter(|path| path.exists() || name == "etcd").unwrap_or_else(|| name.into())
}

/// Whether `SMOC_ETCD` has a program beside it.
fn has(name: &str) -> bool {
    program(name).is_absolute()
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for place in 0..self.members.len() {
            self.kill(place);
        }
    }
}
