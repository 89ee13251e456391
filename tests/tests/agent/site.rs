//! A place where agents can get into trouble: a network namespace, a BPF file system and a directory, all gone
//! when it is dropped.
//!
//! ```text
//!   q9 ---- p9  e1  p1 ---- q1  m1
//!                   p2 ---- q2
//! ```

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

use nix::{
    mount::{MntFlags, MsFlags, mount, umount2},
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use smoc_tests::{
    command::{batch, run},
    lab::Programs,
    netns::Namespace,
    testing::can_run,
};

const TOPOLOGY: &str = "links:\n  - {a: \"e1:1\", b: \"m1:1\"}\n  - {a: \"e1:2\", b: \"m1:2\"}\n";
/// How long an agent may take to be ready, or to notice something.
pub const PATIENCE: Duration = Duration::from_secs(30);

static COUNT: AtomicU32 = AtomicU32::new(0);

pub struct Site {
    pub directory: PathBuf,
    pub namespace: Namespace,
    programs: Programs,
    agents: Vec<Child>,
}

impl Site {
    /// A site for a test, or `None` where the test is skipped.
    pub fn open(test: &str) -> Option<Self> {
        if !can_run(test) {
            return None;
        }
        let name = format!("agent-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let directory = std::env::temp_dir().join(&name);
        let site = Self {
            namespace: Namespace::named(&name),
            programs: Programs::find().unwrap(),
            agents: Vec::new(),
            directory,
        };
        fs::create_dir_all(site.bpf()).unwrap();
        mount(Some("bpf"), &site.bpf(), Some("bpf"), MsFlags::empty(), None::<&str>).unwrap();
        run(Command::new("ip").args(["netns", "add", &name])).unwrap();
        let mut lines = vec!["link add br0 type bridge".to_owned(), "link set br0 up".to_owned()];
        for n in [1, 2, 9] {
            lines.push(format!("link add p{n} type veth peer name q{n}"));
            lines.push(format!("link set p{n} master br0"));
            lines.extend(["p", "q"].map(|end| format!("link set {end}{n} up")));
        }
        batch("ip", &site.namespace, &lines).unwrap();
        fs::write(site.path("topology.yaml"), TOPOLOGY).unwrap();
        Some(site)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    fn bpf(&self) -> PathBuf {
        self.path("bpf")
    }

    /// Where the agent of that name pins.
    pub fn pin(&self, name: &str) -> PathBuf {
        self.bpf().join(name)
    }

    /// Writes the configuration `name`.yaml of switch e1, with lines that are added or that replace those which
    /// start with the same key.
    pub fn configure(&self, name: &str, lines: &[&str]) -> PathBuf {
        let mut all = vec![
            "switch: e1".to_owned(),
            "topology: topology.yaml".to_owned(),
            "ports: {1: p1, 2: p2, 9: p9}".to_owned(),
            "bridge: br0".to_owned(),
            format!("api: {name}.sock"),
            format!("bpf: {{object: {}, pin: bpf/{name}}}", self.programs.object.display()),
        ];
        for line in lines {
            let key = line.split(':').next().unwrap_or_default();
            all.retain(|known| !known.starts_with(&format!("{key}:")));
            all.push((*line).to_owned());
        }
        // Last, so that the added lines have the numbers 7 and on.
        all.push("state: kept".to_owned());
        let path = self.path(&format!("{name}.yaml"));
        fs::write(&path, all.join("\n")).unwrap();
        path
    }

    pub fn object(&self) -> &Path {
        &self.programs.object
    }

    /// `smoc` with these arguments, in the namespace.
    pub fn smoc(&self, arguments: &[&str]) -> Command {
        let mut command = self.namespace.command(&self.programs.smoc.to_string_lossy());
        command.args(arguments).stdin(Stdio::null());
        command
    }

    /// `smoc agent`, run by `setpriv` with these options.
    pub fn with_setpriv(&self, options: &[&str], config: &Path) -> Command {
        let mut command = self.namespace.command("setpriv");
        let smoc = self.programs.smoc.to_string_lossy();
        command.args(options).args([&smoc, "agent", "--config", &config.to_string_lossy()]);
        command.stdin(Stdio::null());
        command
    }

    fn agent(&self, config: &Path) -> Command {
        self.smoc(&["agent", "--config", &config.to_string_lossy()])
    }

    /// Starts an agent that must come up, and waits until it is ready; its process.
    pub fn start(&mut self, name: &str) -> Pid {
        let command = self.agent(&self.path(&format!("{name}.yaml")));
        self.spawn(command, name)
    }

    /// Starts an agent and waits until it warns of something that has all of these in it; its process.
    pub fn start_warning(&mut self, name: &str, parts: &[&str]) -> Pid {
        let command = self.agent(&self.path(&format!("{name}.yaml")));
        let pid = self.begin(command, name);
        self.warns(name, parts);
        pid
    }

    /// Waits until the agent warns of something that has all of these in it.
    pub fn warns(&self, name: &str, parts: &[&str]) {
        let says = |warning: &Value| {
            warning.as_str().is_some_and(|text| parts.iter().all(|part| text.contains(part)))
        };
        self.wait_for(name, "status", |status| status["warnings"].as_array().unwrap().iter().any(says));
    }

    /// Runs this command, which must bring up the agent of that name.
    pub fn spawn(&mut self, command: Command, name: &str) -> Pid {
        let pid = self.begin(command, name);
        self.wait_for(name, "status", |status| status["ready"] == true && status["pid"] == pid.as_raw());
        pid
    }

    fn begin(&mut self, mut command: Command, name: &str) -> Pid {
        let log = fs::File::create(self.path(&format!("{name}.log"))).unwrap();
        let child = command.stdout(Stdio::null()).stderr(log).spawn().unwrap();
        let pid = Pid::from_raw(child.id().try_into().unwrap());
        self.agents.push(child);
        pid
    }

    /// Runs an agent that must refuse to start: its exit status and what it says.
    pub fn refused(&self, name: &str) -> (i32, String) {
        said(self.agent(&self.path(&format!("{name}.yaml"))))
    }

    pub fn detach(&self, name: &str) -> (i32, String) {
        let config = self.path(&format!("{name}.yaml"));
        said(self.smoc(&["detach", "--config", &config.to_string_lossy()]))
    }

    /// Ends an agent and waits until it is gone.
    pub fn end(&mut self, pid: Pid, signal: Signal) {
        kill(pid, signal).unwrap();
        for child in self.agents.iter_mut().filter(|child| child.id() == pid.as_raw() as u32) {
            child.wait().unwrap();
        }
    }

    /// What a verb prints as JSON.
    pub fn ask(&self, name: &str, verb: &str) -> Result<Value, String> {
        let socket = self.path(&format!("{name}.sock"));
        let arguments = [verb, "--format", "json", "--api", &socket.to_string_lossy()];
        let output = self.smoc(&arguments).output().unwrap();
        serde_json::from_slice(&output.stdout)
            .map_err(|_| String::from_utf8_lossy(&output.stderr).into_owned())
    }

    /// Asks until the answer is as it should be.
    #[track_caller]
    pub fn wait_for(&self, name: &str, verb: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = self.ask(name, verb);
            match &answer {
                Ok(value) if holds(value) => return answer.unwrap(),
                _ if Instant::now() < deadline => thread::sleep(Duration::from_millis(50)),
                _ => {
                    let log = fs::read_to_string(self.path(&format!("{name}.log"))).unwrap_or_default();
                    panic!("{verb} of {name} is {answer:#?}\n{log}");
                }
            }
        }
    }

    /// The number of the XDP program on an interface, if there is one.
    pub fn program(&self, interface: &str) -> Option<u64> {
        let arguments = ["-n", self.namespace.name(), "-d", "-j", "link", "show", "dev", interface];
        let text = run(Command::new("ip").args(arguments)).unwrap();
        let links: Value = serde_json::from_str(&text).unwrap();
        links[0]["xdp"]["prog"]["id"].as_u64()
    }
}

/// Runs a command to its end: its exit status and what it says on standard error.
pub fn said(mut command: Command) -> (i32, String) {
    let Output { status, stderr, .. } = command.output().unwrap();
    (status.code().unwrap_or(-1), String::from_utf8_lossy(&stderr).into_owned())
}

impl Drop for Site {
    fn drop(&mut self) {
        for child in &mut self.agents {
            let _ = child.kill();
            let _ = child.wait();
        }
        let _ = run(Command::new("ip").args(["netns", "del", self.namespace.name()]));
        let _ = umount2(&self.bpf(), MntFlags::MNT_DETACH);
        let _ = fs::remove_dir_all(&self.directory);
    }
}
