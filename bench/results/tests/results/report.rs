//! The report: complete, well-formed, and without a word to the network.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use dray_results::{Phase, Results, View, compare, report};

use crate::compare::FIO;
use crate::made_up::{Shape, phase, run};

/// A sweep in a closed loop, and a phase in an open one during which the device stalled.
fn phases() -> Vec<Phase> {
    let step = |(at, depth): (u64, u64)| {
        let shape = Shape {
            rate: 900 * depth,
            latency: 60_000 + 9_000 * depth * depth,
            ..Shape::default()
        };
        phase(&format!("depth {depth}"), Shape { start: 20 * at, seed: depth, ..shape })
    };
    let mut phases: Vec<Phase> = (0..).zip([1, 2, 3, 4]).map(step).collect();
    let open = Shape { open: true, stall: Some(6), start: 100, rate: 1500, ..Shape::default() };
    phases.push(phase("80 % of the most", open));
    phases
}

fn page() -> String {
    let mut ours = run("n1 <&\"'>", phases());
    ours.partial = Some("interrupted".into());
    let ours = View::of("ours", &Results::of_one(ours));
    let single =
        View::of("single", &Results::of_one(run("n1", vec![phase("x", Shape::default())])));
    let fio = View::from_json("fio", FIO).expect("fio's own file");
    let comparison = compare(&single, &fio, 0.03).expect("one phase each");
    report(&[ours, single, fio], &[comparison])
}

/// Tags that are opened and not closed, or closed and not opened.
fn unbalanced(page: &str) -> BTreeMap<String, i64> {
    let mut open: BTreeMap<String, i64> = BTreeMap::new();
    for tag in page.split('<').skip(1) {
        let (inside, _) = tag.split_once('>').expect("every tag ends");
        let name: String = inside
            .trim_start_matches('/')
            .chars()
            .take_while(char::is_ascii_alphanumeric)
            .collect();
        if inside.ends_with('/') || ["", "meta", "link"].contains(&name.as_str()) {
            continue;
        }
        *open.entry(name).or_default() += if inside.starts_with('/') { -1 } else { 1 };
    }
    open.retain(|_, count| *count != 0);
    open
}

#[test]
fn all_is_there_once_and_well_formed() {
    let page = page();
    assert_eq!(unbalanced(&page), BTreeMap::new());
    for wanted in [
        "I/Os per second",
        "Bandwidth in MiB/s",
        "Latency by share of the I/Os",
        "Latency of each second: read",
        "Throughput and latency, step by step",
        "read, response",
        "p99 service",
        "fio-3.33",
        "dray 0.1.0",
        "partial: interrupted",
        "n1 &lt;&amp;&quot;&#39;&gt;",
        "single against fio",
        "/dev/&lt;made up&gt; &amp; &quot;co&quot;",
        "prefers-color-scheme: dark",
    ] {
        assert!(page.contains(wanted), "{wanted} is missing");
    }
    assert!(!page.contains("NaN") && !page.contains("inf\""), "a figure is none");
    assert!(page.matches("<svg").count() >= 20, "{}", page.matches("<svg").count());
}

#[test]
fn nothing_is_asked_of_the_network() {
    let page = page();
    for word in ["http:", "https:", "src=", "@import", "url(", "<script", "//"] {
        assert!(!page.contains(word), "{word} in the page");
    }
    assert!(page.contains("default-src 'none'"));
}

#[test]
fn a_run_without_intervals_or_ios_is_a_page() {
    let mut nothing = phase("nothing", Shape { seconds: 0, ..Shape::default() });
    nothing.runtime = Duration::ZERO;
    let view = View::of("empty", &Results::of_one(run("n1", vec![nothing])));
    let page = report(&[view], &[]);
    assert_eq!(unbalanced(&page), BTreeMap::new());
    assert!(page.contains("nothing to draw"));
}

/// Opened in a real browser, which draws every plot and makes no request.
#[test]
fn a_browser_draws_it_and_asks_for_nothing() {
    let Some(browser) = browser() else {
        println!("skipped: no Chromium is there (Debian: apt-get install chromium)");
        return;
    };
    let page = page();
    // What the browser makes of the plots is put where the dump shows it: how many have a size on
    // the screen, and the resources that the page has loaded.
    let probe = "<script>const drawn = [...document.querySelectorAll('svg')].filter(it => {\
        const box = it.querySelector('path.line').getBBox(); return box.width > 0; }).length;\
        document.body.dataset.drawn = drawn; document.body.dataset.loaded = \
        performance.getEntriesByType('resource').map(it => it.name).join(' ');</script></body>";
    let probed = page
        .replace("default-src 'none';", "default-src 'none'; script-src 'unsafe-inline';")
        .replace("</body>", probe);
    let (dom, requests) = open(browser, &probed);
    let data = |name: &str| {
        let from = dom.find(&format!("data-{name}=\"")).expect("the page was run");
        dom[from..].split('"').nth(1).expect("it has a value").to_owned()
    };
    assert_eq!(data("drawn"), page.matches("<svg").count().to_string());
    assert_eq!(data("loaded"), "");
    assert_eq!(requests, Vec::<String>::new());
    // What a page does ask for would have been seen.
    let (_, requests) = open(browser, "<img src=\"http://192.0.2.1/x.png\">");
    assert_eq!(requests, ["http://192.0.2.1/x.png"]);
}

fn browser() -> Option<&'static str> {
    ["chromium", "chromium-browser", "google-chrome"].into_iter().find(|name| {
        let found = Command::new(name).arg("--version").output();
        found.is_ok_and(|found| found.status.success())
    })
}

/// The document that the browser made of a page, and the requests that the page caused.
fn open(browser: &str, page: &str) -> (String, Vec<String>) {
    let dir = tempfile::tempdir().expect("a directory for tests");
    let (file, log) = (dir.path().join("page.html"), dir.path().join("net.json"));
    std::fs::write(&file, page).expect("the directory is there");
    let output = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", "--timeout=20000"])
        .args(["--disable-background-networking", "--host-resolver-rules=MAP * ~NOTFOUND"])
        .args(["--disable-component-update", "--no-first-run", "--disable-sync"])
        .arg(format!("--user-data-dir={}", dir.path().join("profile").display()))
        .arg(format!("--log-net-log={}", log.display()))
        .arg(format!("file://{}", file.display()))
        .output()
        .expect("it has been found");
    let dom = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!dom.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    (dom, requests(&std::fs::read_to_string(log).expect("the browser writes its log")))
}

/// The log has one event per line. Requests of the browser itself, for updates and the like, have
/// no origin.
fn requests(log: &str) -> Vec<String> {
    let field = |line: &str, name: &str| {
        let (_, rest) = line.split_once(&format!("\"{name}\":\""))?;
        Some(rest.split('"').next()?.to_owned())
    };
    let mut urls: Vec<String> = log
        .lines()
        .filter(|line| field(line, "initiator").is_some_and(|it| it != "not an origin"))
        .filter_map(|line| field(line, "url"))
        .collect();
    urls.dedup();
    urls
}
