//! A machine in software with a kernel of Debian, and nothing in it but one test binary.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::workspace::{command, command_line, output, root, run};

const INIT: &str = include_str!("init.sh");
/// Minutes after which a machine is switched off: it emulates a processor, ten times slower than the real one.
const PATIENCE: &str = "20m";

/// What is run in each machine.
pub struct Tests {
    /// The test binary, and libraries that it is linked to.
    pub binary: PathBuf,
    /// The BPF objects.
    pub objects: Vec<PathBuf>,
}

/// A kernel of Debian's, unpacked.
pub struct Kernel {
    directory: PathBuf,
}

impl Kernel {
    /// Fetches the newest package of a series, such as `6.12`, and unpacks it.
    ///
    /// # Errors
    /// Debian has none in the releases that are configured here, or it cannot be fetched.
    pub fn fetch(series: &str, to: &Path) -> Result<Self> {
        let package = newest(series)?;
        let directory = to.join(&package);
        if !directory.join("boot").exists() {
            eprintln!("kernels: fetching {package}");
            fs::create_dir_all(&directory).with_context(|| format!("cannot make {}", directory.display()))?;
            run(Command::new("apt-get").current_dir(&directory).args(["-qq", "download", &package]))?;
            let archive = only(&directory, |name| name.ends_with(".deb"))?;
            run(command("dpkg-deb").arg("--extract").arg(&archive).arg(&directory))?;
            fs::remove_file(&archive).with_context(|| format!("cannot remove {}", archive.display()))?;
        }
        Ok(Self { directory })
    }

    /// Boots it and runs tests with these arguments; every line that the machine prints is passed on, and given back.
    ///
    /// # Errors
    /// The machine cannot be made, or does not come to the end of the tests.
    pub fn run(&self, tests: &Tests, arguments: &str) -> Result<String> {
        let initramfs = self.directory.join("initramfs");
        self.fill(tests, arguments, &initramfs)?;
        let image = self.directory.join("initramfs.cpio");
        let mut pack = Command::new("sh");
        pack.current_dir(&initramfs).args([
            "-c",
            "find . | cpio --quiet --create --format=newc > \"$1\"",
            "pack",
        ]);
        run(pack.arg(&image))?;
        let vmlinuz = only(&self.directory.join("boot"), |name| name.starts_with("vmlinuz-"))?;
        let mut machine = command("timeout");
        machine.args([PATIENCE, "qemu-system-x86_64", "-accel", "tcg", "-cpu", "max", "-m", "3G"]);
        machine.args(["-nodefaults", "-nographic", "-no-reboot", "-serial", "stdio", "-kernel"]).arg(vmlinuz);
        machine.arg("-initrd").arg(&image).args(["-append", "console=ttyS0 quiet panic=-1"]);
        let said = tell(&mut machine)?;
        if !said.contains("ended with ") {
            bail!("the machine did not come to the end of its tests within {PATIENCE}");
        }
        Ok(said)
    }

    /// Makes the directory that is the machine's only file system.
    fn fill(&self, tests: &Tests, arguments: &str, to: &Path) -> Result<()> {
        if to.exists() {
            fs::remove_dir_all(to).with_context(|| format!("cannot empty {}", to.display()))?;
        }
        for directory in ["bin", "proc", "sys", "dev", "tmp", "objects"] {
            let path = to.join(directory);
            fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
        }
        let write = |name: &str, text: &str| {
            let path = to.join(name);
            fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
        };
        write("arguments", arguments)?;
        write("init", INIT)?;
        let executable = fs::Permissions::from_mode(0o755);
        fs::set_permissions(to.join("init"), executable).context("cannot make init executable")?;
        let busybox = PathBuf::from("/bin/busybox");
        copy(&busybox, &to.join("bin/busybox"))?;
        run(command("strip").arg("-o").arg(to.join("programs")).arg(&tests.binary))?;
        for library in libraries(&busybox).into_iter().chain(libraries(&tests.binary)) {
            copy(&library, &to.join(library.strip_prefix("/")?))?;
        }
        for object in &tests.objects {
            copy(object, &to.join("objects").join(object.file_name().unwrap_or_default()))?;
        }
        // The test binary looks for it where it was built.
        let ceilings = root().join("smoc-ebpf/verifier-ceilings.yaml");
        copy(&ceilings, &to.join(ceilings.strip_prefix("/")?))?;
        fs::create_dir_all(to.join(root().join("tests").strip_prefix("/")?))
            .context("cannot make a directory")?;
        self.module("veth", &to.join("veth.ko"))
    }

    /// Copies a module, which recent packages have compressed.
    fn module(&self, name: &str, to: &Path) -> Result<()> {
        let mut find = command("find");
        let found = output(find.arg(self.directory.join("lib")).arg("-name").arg(format!("{name}.ko*")))?;
        let found = Path::new(found.lines().next().with_context(|| format!("the kernel has no {name}.ko"))?);
        if found.extension().is_none_or(|extension| extension != "xz") {
            return copy(found, to);
        }
        let unpacked = command("xz").arg("-dc").arg(found).output().context("cannot start xz")?;
        fs::write(to, unpacked.stdout).with_context(|| format!("cannot write {}", to.display()))
    }
}

/// The newest package of a series: that whose numbers are highest.
fn newest(series: &str) -> Result<String> {
    let names = format!("^linux-image-{}\\..*cloud-amd64-unsigned$", series.replace('.', "\\."));
    let found = output(command("apt-cache").args(["search", "--names-only", &names]))?;
    let numbers = |name: &str| -> Vec<u64> {
        name.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse().ok()).collect()
    };
    let names = found.lines().filter_map(|line| line.split_whitespace().next());
    let newest = names.max_by_key(|name| numbers(name)).with_context(|| {
        format!("no package has a kernel {series}: `apt-get update` may help, or another release of Debian")
    })?;
    Ok(newest.to_owned())
}

/// The one file of a directory that has such a name.
fn only(directory: &Path, is_it: impl Fn(&str) -> bool) -> Result<PathBuf> {
    let entries = fs::read_dir(directory).with_context(|| format!("cannot read {}", directory.display()))?;
    let mut names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let name = names.find(|name| is_it(name));
    name.map(|name| directory.join(name))
        .with_context(|| format!("{} is not as expected", directory.display()))
}

/// The libraries that a program is linked to, and what loads them; none if it is linked statically.
fn libraries(program: &Path) -> Vec<PathBuf> {
    let said = output(command("ldd").arg(program)).unwrap_or_default();
    said.split_whitespace().filter(|word| word.starts_with('/')).map(PathBuf::from).collect()
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    if let Some(directory) = to.parent() {
        fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))?;
    }
    fs::copy(from, to).map(drop).with_context(|| format!("cannot copy {}", from.display()))
}

/// Runs a machine; what it says is passed on to standard error as it comes.
fn tell(machine: &mut Command) -> Result<String> {
    let child = machine.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
    let mut child = child.with_context(|| format!("cannot start `{}`", command_line(machine)))?;
    let pipe = BufReader::new(child.stdout.take().context("a machine without a console")?);
    let mut said = String::new();
    for line in pipe.split(b'\n') {
        // The firmware clears the screen, which is not its own here.
        let line = String::from_utf8_lossy(&line?).replace(|c: char| c.is_control(), "");
        eprintln!("  {line}");
        said += &line;
        said.push('\n');
    }
    child.wait()?;
    Ok(said)
}
