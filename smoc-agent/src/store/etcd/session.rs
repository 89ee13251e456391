//! One connection to one member of etcd: effects become requests, answers and changes become events.
//!
//! The first thing that fails ends it, and whoever started it begins anew, with the next member.

use std::{error::Error as _, path::Path, sync::Arc, time::Duration};

use etcd_client::{
    Certificate, Client, ConnectOptions, Error, EventType, GetOptions, Identity, KeyValue, PutOptions,
    ResponseHeader, TlsOptions, Txn, TxnOp, WatchOptions, WatchResponse, WatchStream,
};
use smoc_control::{
    config::Etcd,
    store::{
        Prefix,
        mirror::{Change, Effect, Event, LeaseId, Record, Write},
    },
};
use tokio::{sync::mpsc, task::JoinSet};

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(3);
/// How long a member may take to answer. etcd itself gives up after some 7 s without a quorum.
pub(super) const ANSWER: Duration = Duration::from_secs(10);
/// How long a write may take, on a disk that is slow to sync.
const WRITE: Duration = Duration::from_secs(30);
/// A connection is checked so often, and given up after so long.
const KEEP_ALIVE: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(5));
/// Records that are read with one request.
const PAGE: i64 = 1000;
/// The longest message with changes: an emptied store is one.
const LONGEST: usize = 256 << 20;
/// gRPC's numbers of what can be wrong with a request rather than with the connection.
const NOT_FOUND: i32 = 5;
const REFUSALS: [i32; 6] = [3, 7, 8, 9, 12, 16];

/// Whom a connection tells what happens, and by which number it is known there.
pub(super) struct Teller {
    pub number: u64,
    pub to: mpsc::Sender<(u64, Event)>,
}

impl Teller {
    async fn tell(&self, event: Event) {
        // If nobody listens any more, the agent ends.
        drop(self.to.send((self.number, event)).await);
    }
}

/// Runs a connection until it fails; the last event says why. It ends, silently, with the sender of effects.
pub(super) async fn run(
    etcd: Arc<Etcd>,
    prefix: Prefix,
    member: usize,
    mut effects: mpsc::UnboundedReceiver<Effect>,
    teller: Teller,
) {
    let endpoint = &etcd.endpoints[member % etcd.endpoints.len()];
    let client = match connect(&etcd, endpoint).await {
        Ok(client) => client,
        Err(why) => return teller.tell(Event::Lost(why)).await,
    };
    teller.tell(Event::Connected).await;
    let mut session = Session { client, prefix, requests: JoinSet::new(), watch: None };
    loop {
        let event = tokio::select! {
            effect = effects.recv() => match effect {
                Some(effect) => session.begin(effect).await.map(|()| None),
                None => return,
            },
            Some(answer) = session.requests.join_next() => {
                answer.map_err(|error| error.to_string()).and_then(|answer| answer).map(Some)
            }
            news = next(&mut session.watch) => session.news(news).map(Some),
        };
        match event {
            Ok(None) => {}
            Ok(Some(event)) => teller.tell(event).await,
            Err(why) => {
                return teller.tell(Event::Lost(format!("{endpoint}: {why}{}", hint(&etcd, endpoint)))).await;
            }
        }
    }
}

/// A member that asks for a client certificate closes connections without one, and that is all that is seen of it.
pub(super) fn hint(etcd: &Etcd, endpoint: &str) -> &'static str {
    match endpoint.starts_with("https://") && etcd.identity.is_none() {
        true => "; if the member asks for a certificate, set cert and key",
        false => "",
    }
}

pub(super) async fn connect(etcd: &Etcd, endpoint: &str) -> Result<Client, String> {
    let failed = |error: Error| format!("{endpoint}: {}", why(&error));
    let mut options = ConnectOptions::new()
        .with_connect_timeout(CONNECT)
        .with_keep_alive(KEEP_ALIVE.0, KEEP_ALIVE.1)
        .with_keep_alive_while_idle(true)
        .with_require_leader(true);
    if endpoint.starts_with("https://") {
        options = options.with_tls(tls(etcd).await?);
    }
    let client = tokio::time::timeout(CONNECT, Client::connect([endpoint], Some(options)));
    client.await.map_err(|_| format!("{endpoint}: no answer within {CONNECT:?}"))?.map_err(failed)
}

/// Read with each connection: certificates are renewed.
async fn tls(etcd: &Etcd) -> Result<TlsOptions, String> {
    let mut tls = TlsOptions::new();
    if let Some(ca) = &etcd.ca {
        tls = tls.ca_certificate(Certificate::from_pem(read(ca).await?));
    }
    if let Some((cert, key)) = &etcd.identity {
        tls = tls.identity(Identity::from_pem(read(cert).await?, read(key).await?));
    }
    Ok(tls)
}

async fn read(file: &Path) -> Result<Vec<u8>, String> {
    tokio::fs::read(file).await.map_err(|error| format!("{}: {error}", file.display()))
}

struct Session {
    client: Client,
    prefix: Prefix,
    /// What is not answered yet.
    requests: JoinSet<Result<Event, String>>,
    watch: Option<WatchStream>,
}

/// The next message of a watch, if there is one.
async fn next(watch: &mut Option<WatchStream>) -> Result<Option<WatchResponse>, Error> {
    match watch {
        Some(watch) => watch.message().await,
        None => std::future::pending().await,
    }
}

impl Session {
    async fn begin(&mut self, effect: Effect) -> Result<(), String> {
        let (client, prefix) = (self.client.clone(), self.prefix.clone());
        match effect {
            Effect::Read => {
                self.watch = None;
                self.requests.spawn(read_all(client, prefix));
            }
            Effect::Watch(from) => self.watch(from).await?,
            Effect::Ask => {
                if let Some(watch) = &mut self.watch {
                    watch.request_progress().await.map_err(|error| why(&error))?;
                }
            }
            Effect::Grant(lease) => drop(self.requests.spawn(grant(client, lease))),
            Effect::Renew(lease) => drop(self.requests.spawn(renew(client, lease))),
            Effect::Write(write) => drop(self.requests.spawn(self::write(client, prefix, write))),
            Effect::Connect(_) | Effect::Disconnect | Effect::Publish(_) | Effect::Save => {}
        }
        Ok(())
    }

    async fn watch(&mut self, from: i64) -> Result<(), String> {
        let options = WatchOptions::new().with_prefix().with_start_revision(from);
        let mut client = self.client.watch_client().max_decoding_message_size(LONGEST);
        let watch = client.watch(self.prefix.as_str(), Some(options));
        self.watch = Some(within(ANSWER, watch).await?.map_err(|error| why(&error))?);
        Ok(())
    }

    fn news(&mut self, news: Result<Option<WatchResponse>, Error>) -> Result<Event, String> {
        let news = news.map_err(|error| why(&error))?.ok_or("the member closed the connection")?;
        if news.compact_revision() > 0 {
            self.watch = None;
            return Ok(Event::Compacted);
        }
        if news.canceled() {
            return Err(format!("the member stopped telling of changes: {}", news.cancel_reason()));
        }
        let change = |event: &etcd_client::Event| {
            let kv = event.kv()?;
            let key = self.prefix.key(kv.key())?;
            let record = (event.event_type() == EventType::Put).then(|| record(&self.prefix, kv)).flatten();
            Some(Change { key, revision: kv.mod_revision(), record })
        };
        Ok(Event::Changed(news.events().iter().filter_map(change).collect()))
    }
}

fn record(prefix: &Prefix, kv: &KeyValue) -> Option<Record> {
    let key = prefix.key(kv.key())?;
    Some(Record { key, bytes: kv.value().into(), lease: kv.lease(), revision: kv.mod_revision() })
}

/// Waits for an answer, but not for ever.
pub(super) async fn within<T>(limit: Duration, answer: impl Future<Output = T>) -> Result<T, String> {
    let answer = tokio::time::timeout(limit, answer).await;
    answer.map_err(|_| format!("no answer within {} s", limit.as_secs()))
}

async fn read_all(client: Client, prefix: Prefix) -> Result<Event, String> {
    let (cluster, revision, records) = all(client, &prefix).await.map_err(|failed| failed.why)?;
    Ok(Event::Read { cluster, revision, records })
}

/// What an answer that says no says, and gRPC's number of that if the member sent it.
pub(super) struct Refusal {
    pub why: String,
    pub code: Option<i32>,
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self { why: why(&error), code: code(&error) }
    }
}

impl From<String> for Refusal {
    fn from(why: String) -> Self {
        Self { why, code: None }
    }
}

/// Reads all records, as of the revision of the first page: the cluster, that revision, and the records.
pub(super) async fn all(mut client: Client, prefix: &Prefix) -> Result<(u64, i64, Vec<Record>), Refusal> {
    let mut records = Vec::new();
    let mut end = prefix.as_str().as_bytes().to_vec();
    if let Some(last) = end.last_mut() {
        *last += 1;
    }
    let (mut from, mut at) = (prefix.as_str().as_bytes().to_vec(), None::<(u64, i64)>);
    loop {
        let mut options = GetOptions::new().with_range(end.clone()).with_limit(PAGE);
        if let Some((_, revision)) = at {
            options = options.with_revision(revision);
        }
        let page = within(ANSWER, client.get(from.clone(), Some(options))).await?;
        let page = page?;
        let (cluster, revision) = *at.get_or_insert(seen(page.header())?);
        records.extend(page.kvs().iter().filter_map(|kv| record(prefix, kv)));
        match page.kvs().last() {
            Some(last) if page.more() => from = [last.key(), &[0]].concat(),
            _ => return Ok((cluster, revision, records)),
        }
    }
}

pub(super) fn seen(header: Option<&ResponseHeader>) -> Result<(u64, i64), String> {
    let header = header.ok_or("an answer without a revision")?;
    Ok((header.cluster_id(), header.revision()))
}

async fn grant(mut client: Client, lease: Duration) -> Result<Event, String> {
    let seconds = i64::try_from(lease.as_secs()).unwrap_or(i64::MAX);
    let granted = within(ANSWER, client.lease_grant(seconds, None)).await?;
    granted.map(|granted| Event::Granted(granted.id())).map_err(|error| why(&error))
}

async fn renew(mut client: Client, lease: LeaseId) -> Result<Event, String> {
    match within(ANSWER, client.lease_keep_alive(lease)).await? {
        Ok(_) => Ok(Event::Renewed(true)),
        Err(Error::LeaseKeepAliveError(_)) => Ok(Event::Renewed(false)),
        Err(error) if code(&error) == Some(NOT_FOUND) => Ok(Event::Renewed(false)),
        Err(error) => Err(why(&error)),
    }
}

async fn write(mut client: Client, prefix: Prefix, write: Write) -> Result<Event, String> {
    let options = PutOptions::new().with_lease(write.lease);
    let put = |(key, bytes): &(_, smoc_control::store::Bytes)| {
        TxnOp::put(prefix.name(key), bytes.to_vec(), Some(options.clone()))
    };
    let puts = write.puts.iter().map(put);
    let deletes = write.deletes.iter().map(|key| TxnOp::delete(prefix.name(key), None));
    let transaction = Txn::new().and_then(puts.chain(deletes).collect::<Vec<_>>());
    match within(WRITE, client.txn(transaction)).await {
        Err(slow) => Ok(Event::Refused(slow)),
        Ok(Ok(done)) => Ok(Event::Written(seen(done.header())?.1)),
        Ok(Err(error)) => match code(&error) {
            Some(NOT_FOUND) => Ok(Event::Renewed(false)),
            Some(code) if REFUSALS.contains(&code) => Ok(Event::Refused(refusal(&error, code, &prefix))),
            _ => Err(why(&error)),
        },
    }
}

/// What to do about a refused write.
fn refusal(error: &Error, code: i32, prefix: &Prefix) -> String {
    let advice = match code {
        7 | 16 => format!(
            "; give this switch's user its role for {prefix} (docs/store.md)",
            prefix = prefix.as_str()
        ),
        8 => "; compact and defragment it, then disarm its alarm (docs/store.md)".to_owned(),
        _ => String::new(),
    };
    format!("{}{advice}", why(error))
}

fn code(error: &Error) -> Option<i32> {
    match error {
        Error::GRpcStatus(status) => Some(status.code() as i32),
        _ => None,
    }
}

/// An error with its causes: the outermost alone often says only "transport error".
fn why(error: &Error) -> String {
    let mut text = match error {
        Error::GRpcStatus(status) => status.message().to_owned(),
        other => other.to_string(),
    };
    let mut cause = match error {
        Error::GRpcStatus(status) => status.source(),
        other => other.source(),
    };
    while let Some(inner) = cause {
        let said = inner.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        cause = inner.source();
    }
    text
}
