//! A browser without a window, driven by WebDriver (W3C, 2018) through chromedriver.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result};
use fantoccini::{
    Client, ClientBuilder, Locator,
    actions::{InputSource, KeyAction, KeyActions, MOUSE_BUTTON_LEFT, MouseActions, PointerAction},
    error::CmdError,
    wd::{TimeoutConfiguration, WebDriverCompatibleCommand},
};
use http::Method;
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use smoc_tests::testing::wait_until;
use tokio::runtime::{self, Runtime};
use url::{ParseError, Url};

/// The page's own objects, for scripts.
const PAGE: &str = "const { page } = await import('/js/main.js');";

/// A process that ends with its owner.
pub struct Process(pub Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Whether there is a browser; if not, says so and counts as skipped.
pub fn has_browser(test: &str) -> bool {
    let is_there = |program: &str| {
        std::env::var_os("PATH").is_some_and(|path| {
            std::env::split_paths(&path).any(|directory| directory.join(program).is_file())
        })
    };
    let has = is_there("chromium") && is_there("chromedriver");
    if !has {
        println!("SKIP {test}: needs chromium and chromedriver (Debian: chromium, chromium-driver)");
    }
    has
}

/// What a browser's console says, which chromedriver tells beside what WebDriver has.
#[derive(Debug)]
struct ConsoleLog;

impl WebDriverCompatibleCommand for ConsoleLog {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, ParseError> {
        base.join(&format!("session/{}/se/log", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(json!({"type": "browser"}).to_string()))
    }
}

/// A session with one window. Tests are written without `async`: each call waits for its answer.
pub struct Browser {
    runtime: Runtime,
    session: Client,
    _driver: Process,
}

impl Browser {
    pub fn start() -> Result<Self> {
        let mut process =
            Process(Command::new("chromedriver").arg("--port=0").stdout(Stdio::piped()).spawn()?);
        let mut lines = BufReader::new(process.0.stdout.take().context("its output")?).lines();
        let started =
            lines.find_map(|line| Some(line.ok()?.split_once("successfully on port ")?.1.to_owned()));
        let port: u16 = started.context("chromedriver does not start")?.trim_end_matches('.').parse()?;
        let arguments = [
            "--headless=new",
            // Tests run as root.
            "--no-sandbox",
            "--use-angle=swiftshader",
            "--enable-unsafe-swiftshader",
            "--hide-scrollbars",
            "--window-size=1360,820",
        ];
        let wanted =
            json!({"goog:chromeOptions": {"args": arguments}, "goog:loggingPrefs": {"browser": "ALL"}});
        let wanted = wanted.as_object().context("an object")?.clone();
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let session = runtime.block_on(async {
            // chromedriver is here: no TLS.
            let mut builder = ClientBuilder::new(HttpConnector::new());
            let session = builder.capabilities(wanted).connect(&format!("http://127.0.0.1:{port}")).await?;
            let timeouts = TimeoutConfiguration::new(Some(Duration::from_secs(55)), None, None);
            session.update_timeouts(timeouts).await?;
            Ok::<_, anyhow::Error>(session)
        })?;
        Ok(Self { runtime, session, _driver: process })
    }

    fn wait<T>(&self, answer: impl Future<Output = Result<T, CmdError>>) -> Result<T> {
        Ok(self.runtime.block_on(answer)?)
    }

    pub fn visit(&self, address: &str) -> Result<()> {
        self.wait(self.session.goto(address))
    }

    /// Runs a script that calls `done` with its answer, and may use `page` and `argument`.
    pub fn script(&self, script: &str, argument: impl Into<Value>) -> Result<Value> {
        let whole = format!("(async (argument, done) => {{ {PAGE} {script} }})(...arguments)");
        self.wait(self.session.execute_async(&whole, vec![argument.into()]))
    }

    pub fn is_so(&self, condition: &str) -> Result<bool> {
        Ok(self.script(&format!("done(Boolean({condition}))"), Value::Null)? == json!(true))
    }

    /// Waits until a condition about the page holds.
    pub fn becomes(&self, condition: &str) -> Result<()> {
        wait_until(|| self.is_so(condition)).with_context(|| {
            let shown = self.script("done(document.body.innerText)", Value::Null);
            format!("{condition} does not come true; the page shows\n{shown:?}\n{:?}", self.log())
        })
    }

    /// What the console says, which is emptied.
    pub fn log(&self) -> Result<Value> {
        self.wait(self.session.issue_cmd(ConsoleLog))
    }

    /// Clicks an element.
    pub fn choose(&self, selector: &str) -> Result<()> {
        self.wait(async { self.session.find(Locator::Css(selector)).await?.click().await })
    }

    /// Types into the search field, in place of what is there.
    pub fn search(&self, text: &str) -> Result<()> {
        self.wait(async {
            let field = self.session.find(Locator::Id("text")).await?;
            field.clear().await?;
            field.send_keys(text).await
        })
    }

    /// Clicks where a link, switch or host is drawn.
    pub fn click(&self, kind: &str, name: &str) -> Result<()> {
        let place = self.script("done(page.drawing.where(...argument))", json!([kind, name]))?;
        let number = |axis: &str| Ok::<_, anyhow::Error>(place[axis].as_f64().context("a place")?.round());
        let (x, y) = (number("x")?, number("y")?);
        let to = |x| PointerAction::MoveTo { duration: Some(Duration::from_millis(30)), x, y };
        let [down, up] = [
            PointerAction::Down { button: MOUSE_BUTTON_LEFT },
            PointerAction::Up { button: MOUSE_BUTTON_LEFT },
        ];
        let mouse = MouseActions::new("mouse".to_owned()).then(to(x - 1.0)).then(to(x)).then(down).then(up);
        self.wait(self.session.perform_actions(mouse))
    }

    /// Presses a key wherever the focus is.
    pub fn press(&self, key: impl Into<char>) -> Result<()> {
        let value = key.into();
        let keyboard = KeyActions::new("keyboard".to_owned());
        let keys = keyboard.then(KeyAction::Down { value }).then(KeyAction::Up { value });
        self.wait(self.session.perform_actions(keys))
    }

    /// The colour, red, green and blue, in which a link is drawn at a quarter of its length.
    pub fn colour(&self, link: &str) -> Result<Value> {
        let script = "const data = Uint8Array.from(argument[1]); \
            const image = await createImageBitmap(new Blob([data], {type: 'image/png'})); \
            const canvas = new OffscreenCanvas(image.width, image.height); const context = canvas.getContext('2d'); \
            context.drawImage(image, 0, 0); \
            const {from, to} = page.drawing.line(page.model.linkNamed.get(argument[0])); \
            const {left, top} = page.drawing.container.getBoundingClientRect(); \
            const at = (a, b) => 0.75 * a + 0.25 * b; \
            done([...context.getImageData(left + at(from.x, to.x), top + at(from.y, to.y), 1, 1).data].slice(0, 3));";
        let picture = self.wait(self.session.screenshot())?;
        self.script(script, json!([link, picture]))
    }

    /// Writes what is seen to a file where pictures are wanted.
    pub fn picture(&self, name: &str) -> Result<()> {
        let Some(directory) = std::env::var_os("SMOC_SCREENSHOTS") else { return Ok(()) };
        let picture = self.wait(self.session.screenshot())?;
        Ok(std::fs::write(Path::new(&directory).join(name), picture)?)
    }

    pub fn resize(&self, width: u32, height: u32) -> Result<()> {
        self.wait(self.session.set_window_size(width, height))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.runtime.block_on(self.session.clone().close());
    }
}
