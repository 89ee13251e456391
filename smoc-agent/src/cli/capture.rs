//! `smoc capture`: frames that XDP redirects, which tcpdump does not see.

use std::{
    fs::{File, OpenOptions},
    io::{self, IsTerminal, Write},
    os::{
        fd::{AsFd, BorrowedFd},
        unix::fs::OpenOptionsExt,
    },
    path::PathBuf,
    time::Duration,
};

use anyhow::{Context, anyhow};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use smoc_common::capture::MAX_SNAPLEN;
use smoc_control::capture::Filter;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    signal::unix::{SignalKind, signal},
};

use super::{Failure, Format, number_from, socket::AgentSocket};
use crate::{
    api,
    capture::{Form, Order},
};

/// How often it is looked whether anybody still reads what is written.
const LOOK: Duration = Duration::from_millis(200);

/// Arguments of `smoc capture`.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
XDP redirects frames past the place where tcpdump listens. smoc captures them in its programs: others take their place while a
capture runs, so it costs nothing while none does. Each frame is captured where it leaves the switch, or where it came in if
it goes no further by smoc, as its host sent it (--raw: with the route that it has for addresses).

FILTER is names and values; of values separated by commas one is to fit, of names all:
  host ADDRESS         sender or receiver            token HEX         of its connection (known at edges)
  port PORT            of the switch: number or      connection A:P-B:P  both ends, in either direction
                       interface, in or out          path SWITCH[/RANK]  to or from this edge, by this rank
  tcp-port NUMBER      TCP or UDP, either end        rank NUMBER       of its path
  outcome NAME         as `smoc status` names them; probes and hellos only if they are named

MPTCP keys are overwritten with zeros, so that a file gives no connection away; the TCP checksum of those few frames is wrong.

Examples:
  smoc capture host 10.0.0.1 tcp-port 80 --count 20
  smoc capture -w paths.pcapng path e2/1 --seconds 10
  smoc capture -w - token 8a3f12cd | wireshark -k -i -
  smoc capture --sample 1/1000 --snaplen 128 -w sample.pcapng")]
pub struct CaptureArgs {
    /// Which frames: names and values, as below; all if there is none
    #[arg(value_name = "FILTER")]
    filter: Vec<String>,
    /// Write a pcapng file, - for standard output; without it frames are printed, a line each
    #[arg(long, short, value_name = "FILE")]
    write: Option<PathBuf>,
    /// End after so many frames
    #[arg(long, short, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// End after this time, such as 10 (seconds) or 5m
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    seconds: Option<Duration>,
    /// Keep so many bytes of each frame, 16383 at most
    #[arg(long, short, value_name = "BYTES", default_value_t = MAX_SNAPLEN as usize, value_parser = number_from(14, MAX_SNAPLEN as usize))]
    snaplen: usize,
    /// Keep one frame of N, chosen at random
    #[arg(long, value_name = "1/N", default_value = "1/1", value_parser = sample)]
    sample: u32,
    /// Leave Ethernet addresses as they are on the wire, where they hold the route
    #[arg(long)]
    raw: bool,
    /// How to print; json: an object in each line
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    agent: AgentSocket,
}

/// A time in seconds, or with its unit.
fn seconds(text: &str) -> Result<Duration, String> {
    let number = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let span = number.or_else(|| humantime::parse_duration(text).ok());
    span.filter(|span| !span.is_zero()).ok_or_else(|| "write a time as 10 (seconds) or 5m".to_owned())
}

fn sample(text: &str) -> Result<u32, String> {
    let number = text.strip_prefix("1/").and_then(|number| number.parse().ok()).filter(|number| *number > 0);
    number.ok_or_else(|| "write it as 1/100".to_owned())
}

/// Where frames go.
enum Output {
    Standard(io::Stdout),
    File(File, PathBuf),
}

impl Output {
    /// A file that nobody else may read.
    fn open(args: &CaptureArgs) -> Result<Self, Failure> {
        let Some(path) = args.write.as_ref().filter(|path| path.as_os_str() != "-") else {
            if args.write.is_some() && io::stdout().is_terminal() {
                let what =
                    "a pcapng file would fill the terminal: pipe it into `wireshark -k -i -`, or name a file";
                return Err(Failure::BadInput(anyhow!(what)));
            }
            return Ok(Self::Standard(io::stdout()));
        };
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
        let file = file.with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self::File(file, path.clone()))
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Standard(out) => out.write_all(bytes).and_then(|()| out.flush()),
            Self::File(file, _) => file.write_all(bytes),
        }
    }

    fn descriptor(&self) -> BorrowedFd<'_> {
        match self {
            Self::Standard(out) => out.as_fd(),
            Self::File(file, _) => file.as_fd(),
        }
    }

    /// Whether nobody reads what is written: the other end of a pipe is closed.
    fn is_unread(&self) -> bool {
        let mut fds = [PollFd::new(self.descriptor(), PollFlags::empty())];
        poll(&mut fds, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
            && fds[0].revents().is_some_and(|events| events.contains(PollFlags::POLLERR))
    }

    fn failure(&self, error: io::Error) -> Failure {
        let name = match self {
            Self::Standard(_) => "standard output".to_owned(),
            Self::File(_, path) => path.display().to_string(),
        };
        Failure::Failed(anyhow!(error).context(format!("cannot write {name}: the capture ends here")))
    }
}

/// Runs the verb.
///
/// # Errors
/// The filter makes no sense, no agent answers, or the file cannot be written.
pub fn run(args: &CaptureArgs) -> Result<(), Failure> {
    let filter = Filter::parse(args.filter.iter().map(String::as_str)).map_err(Failure::bad_input)?;
    let order = Order {
        filter: filter.words(),
        snaplen: args.snaplen as u32,
        sample: args.sample,
        count: args.count.unwrap_or(0),
        seconds: args.seconds.map_or(0.0, |span| span.as_secs_f64()),
        raw: args.raw,
        form: match (&args.write, args.format) {
            (Some(_), _) => Form::Pcapng,
            (None, Format::Table) => Form::Lines,
            (None, Format::Json) => Form::Json,
        },
    };
    let query = serde_urlencoded::to_string(&order).context("ask for a capture")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context("start the runtime")?;
    runtime.block_on(receive(args, &format!("/capture?{query}")))
}

/// Writes what comes until the agent ends it, Ctrl-C asks it to, or nobody reads on.
async fn receive(args: &CaptureArgs, query: &str) -> Result<(), Failure> {
    let stream = api::upgrade(&args.agent.api, query).await.map_err(|error| match error {
        api::ClientError::Senseless(_) => Failure::bad_input(error),
        _ => Failure::Failed(error.into()),
    })?;
    let mut output = Output::open(args)?;
    if io::stderr().is_terminal() {
        eprintln!("capturing at the switch behind {}; Ctrl-C ends it", args.agent.api.display());
    }
    let (mut input, mut end) = tokio::io::split(stream);
    let mut interrupt = signal(SignalKind::interrupt()).context("wait for signals")?;
    let mut terminate = signal(SignalKind::terminate()).context("wait for signals")?;
    let mut look = tokio::time::interval(LOOK);
    let (mut bytes, mut is_ending, mut written) = (vec![0; 256 * 1024], false, 0usize);
    loop {
        let count = tokio::select! {
            count = input.read(&mut bytes) => count.context("the agent broke off")?,
            _ = interrupt.recv() => {
                if std::mem::replace(&mut is_ending, true) {
                    return Ok(());
                }
                end.shutdown().await.context("end the capture")?;
                continue;
            }
            _ = terminate.recv() => {
                is_ending = true;
                end.shutdown().await.context("end the capture")?;
                continue;
            }
            _ = look.tick() => {
                if output.is_unread() {
                    return Ok(());
                }
                continue;
            }
        };
        if count == 0 {
            let was_asked = is_ending || args.count.is_some() || args.seconds.is_some();
            let early = "the agent ended the capture: it was stopped or started again";
            return if was_asked {
                Ok(())
            } else {
                Err(Failure::Failed(anyhow!("{early} ({written} bytes written)")))
            };
        }
        written += count;
        match output.write(&bytes[..count]) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            Err(error) => return Err(output.failure(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_samples_are_read_and_others_are_refused_with_what_to_write() {
        assert_eq!(seconds("1.5"), Ok(Duration::from_millis(1500)));
        assert_eq!(seconds("5m"), Ok(Duration::from_secs(300)));
        assert!(seconds("0").unwrap_err().contains("write a time as 10"));
        assert!(seconds("-1").is_err() && seconds("soon").is_err());
        assert_eq!(sample("1/1000"), Ok(1000));
        for text in ["1/0", "2/3", "1000", "1/x", ""] {
            assert_eq!(sample(text), Err("write it as 1/100".to_owned()), "{text}");
        }
    }
}
