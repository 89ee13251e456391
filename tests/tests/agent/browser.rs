//! A browser without a window, driven by WebDriver (W3C, 2018) through chromedriver.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper_util::{client::legacy, rt::TokioExecutor};
use serde_json::{Value, json};
use smoc_tests::testing::wait_until;
use thirtyfour::{
    BrowserLogEntry, By, Capabilities, WebDriver,
    error::{WebDriverError, WebDriverResult},
    session::http::{Body, HttpClient},
};
use tokio::runtime::{self, Runtime};

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

/// How chromedriver is asked: HTTP without TLS, for it is here.
struct Loopback;

#[async_trait::async_trait]
impl HttpClient for Loopback {
    async fn send(&self, request: Request<Body<'_>>) -> WebDriverResult<Response<Bytes>> {
        let request = request.map(|body| match body {
            Body::Empty => Full::<Bytes>::default(),
            Body::Json(json) => Full::from(json.to_string()),
        });
        let client = legacy::Client::builder(TokioExecutor::new()).build_http();
        let failed = |error: &dyn std::error::Error| WebDriverError::HttpError(error.to_string());
        let (parts, body) = client.request(request).await.map_err(|error| failed(&error))?.into_parts();
        let body = body.collect().await.map_err(|error| failed(&error))?;
        Ok(Response::from_parts(parts, body.to_bytes()))
    }

    async fn new(&self) -> Arc<dyn HttpClient> {
        Arc::new(Self)
    }
}

/// A session with one window. Tests are written without `async`: each call waits for its answer.
pub struct Browser {
    runtime: Runtime,
    session: WebDriver,
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
        let mut wanted = Capabilities::new();
        let arguments = [
            "--headless=new",
            // Tests run as root.
            "--no-sandbox",
            "--use-angle=swiftshader",
            "--enable-unsafe-swiftshader",
            "--hide-scrollbars",
            "--window-size=1360,820",
        ];
        wanted.set("goog:chromeOptions", json!({"args": arguments}))?;
        wanted.set("goog:loggingPrefs", json!({"browser": "ALL"}))?;
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let session = runtime.block_on(async {
            let address = format!("http://127.0.0.1:{port}");
            let session = WebDriver::builder(address, wanted).client(Loopback).await?;
            session.set_script_timeout(Duration::from_secs(55)).await?;
            Ok::<_, WebDriverError>(session)
        })?;
        Ok(Self { runtime, session, _driver: process })
    }

    fn wait<T>(&self, answer: impl Future<Output = WebDriverResult<T>>) -> Result<T> {
        Ok(self.runtime.block_on(answer)?)
    }

    pub fn visit(&self, address: &str) -> Result<()> {
        self.wait(self.session.goto(address))
    }

    /// Runs a script that calls `done` with its answer, and may use `page` and `argument`.
    pub fn script(&self, script: &str, argument: impl Into<Value>) -> Result<Value> {
        let whole = format!("(async (argument, done) => {{ {PAGE} {script} }})(...arguments)");
        let answer = self.wait(self.session.execute_async(whole, vec![argument.into()]))?;
        Ok(answer.json().clone())
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
    pub fn log(&self) -> Result<Vec<BrowserLogEntry>> {
        self.wait(self.session.browser_log())
    }

    /// Clicks an element.
    pub fn choose(&self, selector: &str) -> Result<()> {
        self.wait(async { self.session.find(By::Css(selector)).await?.click().await })
    }

    /// Types into the search field, in place of what is there.
    pub fn search(&self, text: &str) -> Result<()> {
        self.wait(async {
            let field = self.session.find(By::Id("text")).await?;
            field.clear().await?;
            field.send_keys(text).await
        })
    }

    /// Clicks where a link, switch or host is drawn.
    pub fn click(&self, kind: &str, name: &str) -> Result<()> {
        let place = self.script("done(page.drawing.where(...argument))", json!([kind, name]))?;
        let number =
            |axis: &str| Ok::<_, anyhow::Error>(place[axis].as_f64().context("a place")?.round() as i64);
        let (x, y) = (number("x")?, number("y")?);
        let clicking = self.session.action_chain_with_delay(None, Some(Duration::from_millis(30)));
        self.wait(clicking.move_to(x - 1, y).move_to(x, y).click().perform())
    }

    /// Presses a key wherever the focus is.
    pub fn press(&self, key: impl Into<char>) -> Result<()> {
        let key = key.into();
        self.wait(self.session.action_chain().key_down(key).key_up(key).perform())
    }

    /// The colour, red, green and blue, in which a link is drawn at a quarter of its length.
    pub fn colour(&self, link: &str) -> Result<Value> {
        let script = "const data = Uint8Array.from(atob(argument[1]), (character) => character.charCodeAt(0)); \
            const image = await createImageBitmap(new Blob([data], {type: 'image/png'})); \
            const canvas = new OffscreenCanvas(image.width, image.height); const context = canvas.getContext('2d'); \
            context.drawImage(image, 0, 0); \
            const {from, to} = page.drawing.line(page.model.linkNamed.get(argument[0])); \
            const {left, top} = page.drawing.container.getBoundingClientRect(); \
            const at = (a, b) => 0.75 * a + 0.25 * b; \
            done([...context.getImageData(left + at(from.x, to.x), top + at(from.y, to.y), 1, 1).data].slice(0, 3));";
        let picture = self.wait(self.session.screenshot_as_png_base64())?;
        self.script(script, json!([link, picture]))
    }

    /// Writes what is seen to a file where pictures are wanted.
    pub fn picture(&self, name: &str) -> Result<()> {
        let Some(directory) = std::env::var_os("SMOC_SCREENSHOTS") else { return Ok(()) };
        self.wait(self.session.screenshot(&Path::new(&directory).join(name)))
    }

    pub fn resize(&self, width: u32, height: u32) -> Result<()> {
        self.wait(self.session.set_window_rect(0, 0, width, height))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.runtime.block_on(self.session.clone().quit());
    }
}
