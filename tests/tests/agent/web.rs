//! The page of `smoc web` in a real browser. The lab needs root; the made-up fabric does not.
//!
//! With SMOC_SCREENSHOTS=DIRECTORY pictures for the documentation are written there.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    os::unix::net::UnixListener,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use fantoccini::key::Key;
use serde_json::{Value, json};
use smoc_tests::{
    lab::{Condition, Direction, Lab, Programs, Routing},
    subflows::connections,
    testing::{lab_for, options},
    traffic::{Amount, Family, Protocol, Transfer},
};

use super::browser::{Browser, Process, has_browser};

const SOCKET: &str = "/run/smoc-lab/e1.sock";

/// `smoc web` for an agent, and its address.
fn serve(socket: &Path, listen: &str) -> Result<(Process, String)> {
    let mut command = Command::new(Programs::find()?.smoc);
    command.arg("web").arg("--api").arg(socket).args(["--listen", listen, "--writes"]);
    let mut server = Process(command.stderr(Stdio::piped()).spawn()?);
    let mut line = String::new();
    BufReader::new(server.0.stderr.take().context("its output")?).read_line(&mut line)?;
    ensure!(line.starts_with("http://"), "{line}");
    Ok((server, line.trim().to_owned()))
}

#[test]
fn the_page_shows_the_fabric_its_connections_and_what_would_come_of_a_failure() -> Result<()> {
    let test = "the_page_shows_the_fabric_its_connections_and_what_would_come_of_a_failure";
    if !has_browser(test) {
        return Ok(());
    }
    let mut options = options("demo.yaml", Routing::Smoc);
    options.agent.lines = "web: {listen: \"127.0.0.1:8053\"}\n".to_owned();
    let Some(mut lab) = lab_for(test, &options)? else { return Ok(()) };
    own_page(&lab)?;
    let (server, address) = serve(Path::new(SOCKET), "127.0.0.1:18053")?;
    let browser = Browser::start()?;
    browser.visit(&address)?;
    browser.becomes("document.body.dataset.state === 'live'")?;
    // It ends with the test.
    let amount = Amount::Time(Duration::from_secs(100));
    let transfer = Transfer::between(&lab, "h1", "h2", Family::V4, Protocol::Mptcp, amount)?.start()?;
    shows_connections(&browser, &lab)?;
    shows_failures(&browser, &mut lab)?;
    is_used_without_a_mouse(&browser)?;
    suits_eyes_and_phones(&browser)?;
    let log = browser.log()?;
    ensure!(log == json!([]), "{log:#}");
    survives_restarts(&browser, &mut lab)?;
    drop((server, transfer));
    Ok(())
}

/// The page that the agent serves by itself, asked in the namespace of its switch.
fn own_page(lab: &Lab) -> Result<()> {
    let ask = |request: &str| -> Result<String> {
        lab.namespace("e1")?.run(|| {
            let mut stream = TcpStream::connect("127.0.0.1:8053")?;
            write!(stream, "{request}\r\n\r\n")?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            Ok(answer)
        })?
    };
    let page = ask("GET / HTTP/1.1\r\nHost: 127.0.0.1:8053")?;
    ensure!(
        page.starts_with("HTTP/1.1 200") && page.contains("content-security-policy: default-src 'none'"),
        "{page}"
    );
    let live = ask("GET /api/live HTTP/1.1\r\nHost: 127.0.0.1:8053")?;
    ensure!(live.contains("\"switch\":\"e1\"") && live.contains("cache-control: no-store"), "{live}");
    let foreign = ask("GET /api/live HTTP/1.1\r\nHost: evil.example:8053")?;
    ensure!(foreign.starts_with("HTTP/1.1 421") && !foreign.contains("e1:1"), "{foreign}");
    let order = ask("POST /api/drain HTTP/1.1\r\nHost: 127.0.0.1:8053\r\nContent-Length: 0")?;
    ensure!(order.starts_with("HTTP/1.1 403"), "{order}");
    let other = ask("GET /api/policy HTTP/1.1\r\nHost: 127.0.0.1:8053")?;
    ensure!(other.starts_with("HTTP/1.1 404"), "{other}");
    Ok(())
}

fn shows_connections(browser: &Browser, lab: &Lab) -> Result<()> {
    browser.becomes(
        "page.drawing.graph.size === 10 && document.querySelectorAll('#list [role=option]').length === 8",
    )?;
    browser.becomes("page.model.shape.links.every((link, index) => page.model.load(index) > 0.1)")?;
    thread::sleep(Duration::from_millis(300));
    browser.picture("web-links.png")?;
    let colour = browser.colour("e1:2-m2:1")?;
    ensure!(colour != json!([243, 245, 248]), "a link is drawn, in another colour than the ground");
    browser.click("link", "e1:2-m2:1")?;
    browser.becomes("document.querySelector('#details h2').textContent === 'Linke1:2-m2:1'")?;
    browser.becomes(
        "page.related?.total === 1 && document.querySelector('#details').textContent.includes('10.0.1.')",
    )?;

    let token = connections(lab, "e1")?.iter().flat_map(|c| c.token_set()).next().context("a token")?;
    let is_first = |kind: &str| format!("document.querySelector('#found li')?.dataset.kind === '{kind}'");
    browser.search("10.0.2.1")?;
    browser.becomes(&is_first("host"))?;
    browser.becomes("document.querySelector('#found [data-kind=connection]')")?;
    browser.search(&token[..6])?;
    browser.becomes(&is_first("connection"))?;
    browser.press(Key::Enter)?;
    browser.becomes("page.selection.kind === 'connection' && page.drawing.focus.paths.length >= 4")?;
    browser.becomes("[...document.querySelectorAll('#details tbody tr')].filter((row) => row.textContent.includes('Mbit/s')).length >= 4")?;
    browser.picture("web-connection.png")
}

fn shows_failures(browser: &Browser, lab: &mut Lab) -> Result<()> {
    browser.click("link", "e1:3-m3:1")?;
    browser.becomes("page.selection.name === 'e1:3-m3:1'")?;
    browser.choose("#details [data-key=fail]")?;
    browser.becomes("document.querySelector('.verdict')?.textContent.startsWith('1 pair would lose ranks, and all would keep a path')")?;
    browser.becomes("page.drawing.focus.failed.length === 1 && page.drawing.focus.paths.length >= 4")?;
    browser.picture("web-what-if.png")?;
    browser.press(Key::Escape)?;
    browser.becomes(
        "!document.querySelector('.verdict') && page.model.states.every((state) => state === 'up')",
    )?;
    browser.press(Key::Escape)?;
    browser.becomes("!page.selection")?;

    lab.set_link("e1:1-m1:1", Condition::Down, Direction::Both)?;
    browser.becomes("document.querySelector('#list [data-name=\"e1:1-m1:1\"]').dataset.state === 'down'")?;
    browser
        .becomes("page.events.some((event) => event.subject === 'e1:1' && event.text.startsWith('down'))")?;
    thread::sleep(Duration::from_millis(300));
    let colour = browser.colour("e1:1-m1:1")?;
    ensure!(colour[0].as_u64() > Some(150) && colour[1].as_u64() < Some(90), "red: {colour}");
    browser.choose("#tab-events")?;
    browser.becomes("document.getElementById('list').textContent.includes('e1:1: down: no carrier')")?;
    browser.picture("web-down.png")?;
    lab.set_link("e1:1-m1:1", Condition::Up, Direction::Both)?;
    browser.becomes("page.model.states.every((state) => state === 'up')")?;
    browser.choose("#tab-links")?;
    Ok(())
}

fn is_used_without_a_mouse(browser: &Browser) -> Result<()> {
    browser.script("document.activeElement.blur(); done()", Value::Null)?;
    for _ in 0..12 {
        if browser.is_so("document.activeElement.id === 'list'")? {
            break;
        }
        browser.press(Key::Tab)?;
    }
    browser.press(Key::Down)?;
    browser.press(Key::Down)?;
    let third = browser
        .script("done(document.getElementById('list').getAttribute('aria-activedescendant'))", Value::Null)?;
    ensure!(third == "row-2", "{third}");
    browser.press(Key::Enter)?;
    browser.becomes("page.selection?.kind === 'link' && page.selection.name === page.lists.rows[2].name")?;
    browser.press('/')?;
    ensure!(browser.is_so("document.activeElement.id === 'text'")?, "/ leads to the search");
    browser.script("document.getElementById('tab-links').focus(); done()", Value::Null)?;
    browser.press(Key::Right)?;
    browser.becomes("document.activeElement.id === 'tab-switches' && page.lists.shown === 'switches'")
}

fn suits_eyes_and_phones(browser: &Browser) -> Result<()> {
    let ground = "done(getComputedStyle(document.body).backgroundColor)";
    let light = browser.script(ground, Value::Null)?;
    browser.choose("#theme")?;
    let dark = browser.script(ground, Value::Null)?;
    ensure!(light != dark && dark == "rgb(15, 20, 27)", "{light} {dark}");
    browser.script("page.select('pair', 'e1 e2'); done()", Value::Null)?;
    browser.becomes("page.ranks?.sets[0].ranks.length === 4")?;
    thread::sleep(Duration::from_millis(300));
    browser.picture("web-dark.png")?;
    browser.resize(390, 844)?;
    browser.becomes("innerWidth <= 500 && document.scrollingElement.scrollWidth <= innerWidth")?;
    thread::sleep(Duration::from_millis(500));
    browser.picture("web-phone.png")?;
    browser.resize(1360, 820)?;
    Ok(())
}

fn survives_restarts(browser: &Browser, lab: &mut Lab) -> Result<()> {
    let before = browser.script("done(page.model.live.pid)", Value::Null)?;
    lab.kill_agent("e1")?;
    browser.becomes("document.body.dataset.state === 'away'")?;
    lab.start_agent("e1")?;
    browser
        .becomes(&format!("document.body.dataset.state === 'live' && page.model.live.pid !== {before}"))?;
    // Draining it is an order, which the page may give because of --writes.
    browser.script("window.confirm = () => true; page.drain('m4', false).then(() => done())", Value::Null)?;
    browser.becomes("page.model.states.filter((state) => state === 'drained').length === 2")
}

/// Edge and spine switches that are nowhere, and what their agent would say.
fn made_up() -> Value {
    let (edges, spines, uplinks) = (400, 100, 25);
    let mut names: Vec<String> = (0..edges).map(|edge| format!("e{edge}")).collect();
    names.extend((0..spines).map(|spine| format!("s{spine}")));
    let mut links = Vec::new();
    for edge in 0..edges {
        for uplink in 0..uplinks {
            let spine = (edge * 7 + uplink * 4) % spines;
            let name = format!("e{edge}:{}-s{spine}:{}", uplink + 1, edge + 1);
            links.push(json!({"name": name, "a": edge, "b": edges + spine, "capacity": 10_000_000_000_u64,
                "latency_ms": null, "cost": 1, "srlg": [], "tree": false}));
        }
    }
    let switches: Vec<Value> = names
        .iter()
        .map(|name| json!({"name": name, "addresses": u8::from(name.starts_with('e'))}))
        .collect();
    json!({"switches": switches, "links": links, "hosts": [], "this": 0})
}

/// Answers like an agent, with another link down each second.
fn answer_for(stream: &mut (impl Read + Write), fabric: &Value, started: Instant) -> Result<()> {
    let mut request = String::new();
    BufReader::new(&mut *stream).read_line(&mut request)?;
    let seconds = started.elapsed().as_secs_f64();
    let answer = if request.contains("/page/live") {
        let mut live = json!({"switch": "e0", "version": "0", "pid": 1, "ready": true, "uptime_seconds": seconds, "now": 0,
            "shape": "made-up", "down": [seconds as u64], "drained": [], "detoured": [], "ports": [], "paths": [],
            "connections": 0, "subflows": 0, "addresses": 400, "events": 0, "warnings": []});
        if !request.contains("made-up") {
            live["fabric"] = fabric.clone();
        }
        live
    } else {
        json!({"total": 0, "connections": [], "entries": [], "next": 0, "missing": 0})
    };
    let body = answer.to_string();
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())?;
    Ok(())
}

#[test]
fn ten_thousand_links_are_drawn_and_moved_while_clients_hang() -> Result<()> {
    if !has_browser("ten_thousand_links_are_drawn_and_moved_while_clients_hang") {
        return Ok(());
    }
    let directory = tempfile::tempdir()?;
    let socket = directory.path().join("made-up.sock");
    let listener = UnixListener::bind(&socket)?;
    thread::spawn(move || {
        let (fabric, started) = (made_up(), Instant::now());
        for mut stream in listener.incoming().flatten() {
            // A browser that has gone is no matter.
            let _ = answer_for(&mut stream, &fabric, started);
        }
    });
    let (_server, address) = serve(&socket, "127.0.0.1:18054")?;
    let hanging: Vec<TcpStream> =
        (0..40).map(|_| TcpStream::connect("127.0.0.1:18054")).collect::<Result<_, _>>()?;
    let browser = Browser::start()?;
    browser.resize(1000, 600)?;
    browser.visit(&address)?;
    browser.becomes("page.model.shape?.links.length === 10000 && document.body.dataset.state === 'live'")?;
    let before = browser.script("done([...page.drawing.places])", Value::Null)?;
    browser
        .becomes("page.model.states[page.model.live.down[0]] === 'down' && page.model.live.down[0] > 3")?;
    ensure!(browser.script("done([...page.drawing.places])", Value::Null)? == before, "switches moved");
    browser.picture("web-large.png")?;
    moves_fluently(&browser)?;
    let log = browser.log()?;
    ensure!(log == json!([]), "{log:#}");
    drop(hanging);
    Ok(())
}

/// While the view moves a picture of the links moves along, however long a frame takes, and they are drawn anew when it rests.
fn moves_fluently(browser: &Browser) -> Result<()> {
    let script = "const { sigma, glide } = page.drawing; const third = { x: 0, y: 1 }; \
            const kept = sigma.framedGraphToViewport(third); \
            const away = () => { const there = sigma.framedGraphToViewport(third); \
            const { x, y } = new DOMMatrix(glide.picture.style.transform).transformPoint(kept); \
            return Math.hypot(x - there.x, y - there.y); }; const camera = sigma.getCamera(); const times = []; \
            let last = performance.now(); let drawn = 0; \
            sigma.on('beforeRender', () => (drawn += times.length === 0 || glide.isMoving ? 0 : 1)); \
            const step = (now) => { times.push(now - last); last = now; \
            if (times.length % 10 === 5) while (performance.now() - now < 250); \
            camera.setState({ x: 0.5 + 0.2 * Math.sin(times.length / 10), ratio: 0.7, angle: times.length / 100 }); \
            if (times.length < 40) { requestAnimationFrame(step); return; } \
            clearTimeout(glide.timer); \
            sigma.once('afterRender', () => done({ times: times.filter((_, index) => index > 1 && index % 10 !== 5), drawn, shown: glide.picture.style.visibility, away: away() })); }; requestAnimationFrame(step);";
    let moved = browser.script(script, Value::Null)?;
    ensure!(moved["drawn"] == 0 && moved["shown"] == "visible", "{moved}");
    ensure!(moved["away"].as_f64() < Some(1.0), "the picture is where the switches are: {moved}");
    browser.picture("web-moving.png")?;
    browser
        .script("page.drawing.sigma.getCamera().setState({ ratio: 0.71, angle: 0 }); done()", Value::Null)?;
    browser.becomes(
        "!page.drawing.glide.isMoving && page.drawing.glide.picture.style.visibility === 'hidden'",
    )?;
    browser.picture("web-moved.png")?;
    let seen = "const { drawing, model } = page; const { clientWidth, clientHeight } = drawing.container; \
            const isSeen = ({ x, y }) => x > 100 && y > 50 && x < clientWidth - 100 && y < clientHeight - 50; \
            done(model.shape.links.find((_, index) => isSeen(drawing.line(index).middle)).name);";
    let link = browser.script(seen, Value::Null)?;
    browser.click("link", link.as_str().context("a link that is seen")?)?;
    browser.becomes("page.selection?.kind === 'link'")?;
    let times = moved["times"].as_array().context("times")?.iter();
    let mut times: Vec<f64> = times.filter_map(Value::as_f64).collect();
    times.sort_by(f64::total_cmp);
    println!(
        "frame time while 10,000 links are moved, drawn by the processor: min {:.0} ms, median {:.0} ms, max {:.0} ms",
        times[0],
        times[times.len() / 2],
        times[times.len() - 1]
    );
    Ok(())
}
