//! The journal cannot be written: a file that may not grow, and a disk that is full.
//!
//! While that lasts no call may leave, nothing may be accepted and `/readyz` must say
//! no; when it is over everything goes on by itself and nothing was forgotten, not
//! even the outcomes of calls that were under way. The first is made with a limit on
//! the size of files, whose signal the process ignores; the second with a small file
//! system of its own, where the machine allows one.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::json;

use super::checker;
use super::client::{Client, Fate};
use super::config::{ALIBABA, Pace};
use super::evidence::{Before, Evidence};
use super::http;
use super::kills::slow_down;
use super::load::{self, Form, Request, Size, Target};
use super::process::Process;
use super::report;
use super::stage::{Assets, Service, Stage};

const SIZE: Size = Size { items: 5_000, tencent: 1_200, request: load::MOST, form: Form::Json, singles: 0 };
const ASSETS: Assets = Assets { alibaba: 4_500, tencent: 1_600 };
const PACE: Pace = Pace { alibaba: 36, tencent: 200 };
/// How long it stays so after the last call: with that, longer than the lanes' longest pause.
const TROUBLE: Duration = Duration::from_secs(4);
/// Until it has noticed, and until it has gone on: lanes pause for 5 s, a look comes every 5 s.
const NOTICED: Duration = Duration::from_secs(20);
/// Calls that were under way are over after this.
const UNDER_WAY: Duration = Duration::from_secs(2);
/// Requests that the log's old room may still take.
const MOST_THAT_FITS: usize = 20;

fn is_ready(address: SocketAddr) -> bool {
    http::exchange(address, "GET", "/readyz", &[], &[]).unwrap().status == 200
}

fn wait_for(what: &str, within: Duration, mut is_so: impl FnMut() -> bool) -> Duration {
    let from = Instant::now();
    while !is_so() {
        assert!(from.elapsed() < within, "{what}: not within {within:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
    from.elapsed()
}

fn calls(stage: &Stage) -> usize {
    stage.vendors.alibaba.ledger().len() + stage.vendors.tencent.ledger().len()
}

/// Asks until it is refused: the journal's log may have some room that it took before.
fn use_up(client: &Client) {
    for n in 0..MOST_THAT_FITS {
        let id = |k: usize| format!("dead{:028x}", 1_000_000 + n * load::MOST + k);
        let targets = (0..load::MOST).map(|k| Target::new(ALIBABA, "media", &id(k))).collect();
        match client.submit_once(&Request { targets, spoiled: false, form: Form::Json }) {
            Fate::Refused(_) => return,
            Fate::Accepted(_) => {}
            Fate::Unknown => panic!("no answer"),
        }
    }
    panic!("{MOST_THAT_FITS} requests found room");
}

/// Calls that were under way are over, and the last small writes have failed.
fn wait_until_quiet(stage: &Stage) {
    let (mut last, mut since) = (calls(stage), Instant::now());
    wait_for("calls go on", NOTICED, || {
        let now = calls(stage);
        if now != last {
            (last, since) = (now, Instant::now());
        }
        since.elapsed() > UNDER_WAY
    });
}

/// What a time of trouble came to.
struct Trouble {
    refusals: Vec<u16>,
    /// How often it was ready, of so many looks.
    ready: usize,
    looks: usize,
    /// Calls that left all the same.
    calls: usize,
    noticed: Duration,
    went_on: Duration,
}

/// A job, with a time in its middle in which nothing can be written.
fn job(stage: &Stage, client: &Client, service: &Service, begin: &dyn Fn(), end: &dyn Fn()) -> Trouble {
    slow_down(stage, 30, true);
    let requests = load::requests(&stage.vendors, SIZE, 3);
    let good: Vec<&Request> = requests.iter().filter(|request| !request.spoiled).collect();
    let (first, late) = good.split_at(good.len() - 2);
    let address = service.address().unwrap();
    client.serve(address);
    for request in first {
        client.submit(request);
    }
    wait_for("calls", NOTICED, || calls(stage) > 40);
    assert!(is_ready(address) && !client.is_all_over());
    begin();
    use_up(client);
    let noticed = wait_for("readiness stays", NOTICED, || !is_ready(address));
    wait_until_quiet(stage);
    let before = calls(stage);
    let (from, mut refusals, mut ready, mut looks) = (Instant::now(), Vec::new(), 0, 0);
    while from.elapsed() < TROUBLE {
        for request in late {
            match client.submit_once(request) {
                Fate::Refused(status) => refusals.push(status),
                other @ (Fate::Accepted(_) | Fate::Unknown) => {
                    panic!("{other:?} while nothing can be written")
                }
            }
        }
        ready += usize::from(is_ready(address));
        looks += 1;
        std::thread::sleep(Duration::from_millis(500));
    }
    let calls = calls(stage) - before;
    end();
    let went_on = wait_for("readiness does not come back", NOTICED, || is_ready(address));
    for request in late {
        client.submit(request);
    }
    client.wait_until_over(Duration::from_mins(1));
    Trouble { refusals, ready, looks, calls, noticed, went_on }
}

fn conclude(part: &str, evidence: &Evidence, trouble: &Trouble, from: Instant) {
    let found = checker::check(evidence);
    let mut figures = report::figures(evidence, &found, 3, from.elapsed());
    figures["refusals"] = json!(trouble.refusals);
    figures["ready"] = json!(format!("{} of {} looks", trouble.ready, trouble.looks));
    figures["calls_in_trouble"] = json!(trouble.calls);
    figures["noticed_s"] = json!(trouble.noticed.as_secs_f64());
    figures["went_on_s"] = json!(trouble.went_on.as_secs_f64());
    report::write(part, &figures);
    assert!(found.violations.is_empty(), "{}", found.told());
    // The process lived all the time, so it remembered every answer.
    assert_eq!((found.inferred, found.outcomes.get("unknown")), (0, None));
}

#[test]
fn no_call_leaves_while_the_journal_cannot_grow() {
    let from = Instant::now();
    let stage = Stage::new(ASSETS, PACE);
    let (before, client) = (Before::look(&stage), Client::default());
    // A write beyond the limit is then an error, where it would otherwise end the process.
    let service = stage.serve_by(&["sh", "-c", "trap '' XFSZ; exec \"$0\" \"$@\""], None);
    let limit = |size: &str| {
        let pid = service.process.pid().to_string();
        let done = Command::new("prlimit").args(["--pid", &pid, &format!("--fsize={size}")]).status();
        assert!(done.is_ok_and(|status| status.success()), "prlimit --fsize={size}");
    };
    let trouble = job(&stage, &client, &service, &|| limit("0:unlimited"), &|| limit("unlimited:unlimited"));
    assert!(trouble.refusals.iter().all(|status| [503, 507].contains(status)), "{:?}", trouble.refusals);
    assert_eq!((trouble.ready, trouble.calls), (0, 0), "ready, or a call without a journal");
    let evidence = before.collect(&stage, &client, service, 0);
    conclude("failing writes", &evidence, &trouble, from);
}

/// A small file system, larger than the log may grow, seen by those who join its holder.
struct SmallDisk {
    holder: Process,
    folder: PathBuf,
    user: bool,
}

impl SmallDisk {
    /// The disk, or why the machine gives none.
    fn mount(folder: &Path) -> Result<Self, String> {
        let mut why = String::new();
        for (user, flags) in [(true, ["--user", "--map-root-user"].as_slice()), (false, &[])] {
            let script = "mount -t tmpfs -o size=160m none \"$0\" && echo mounted && exec sleep 3600";
            let mut command = Command::new("unshare");
            command.args(flags).args(["--mount", "sh", "-c", script]).arg(folder);
            let holder = Process::start(&mut command);
            if holder.hear(|line| (line == "mounted").then_some(())).is_some() {
                return Ok(Self { holder, folder: folder.to_owned(), user });
            }
            why += &holder.said();
        }
        Err(why)
    }

    /// What stands before a command that is to see the disk.
    fn join(&self) -> Vec<String> {
        let user = ["--user", "--preserve-credentials"].map(str::to_owned);
        let mut words = vec!["nsenter".to_owned(), "--target".to_owned(), self.holder.pid().to_string()];
        words.push("--mount".to_owned());
        words.extend(user.into_iter().filter(|_| self.user));
        words
    }

    /// Where one of its files is seen from here.
    fn outside(&self, name: &str) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.holder.pid()));
        root.join(self.folder.strip_prefix("/").unwrap()).join(name)
    }

    fn fill(&self) {
        // All that is left, to the last byte.
        let mut file = fs::File::create(self.outside("filler")).unwrap();
        for size in [65_536, 4_096, 1] {
            while std::io::Write::write_all(&mut file, &vec![0; size]).is_ok() {}
        }
    }
}

#[test]
fn a_full_disk_is_waited_out() {
    let from = Instant::now();
    let stage = Stage::new(ASSETS, PACE);
    let folder = stage.folder().join("disk");
    fs::create_dir(&folder).unwrap();
    let disk = match SmallDisk::mount(&folder) {
        Ok(disk) => disk,
        Err(why) => {
            println!("SKIPPED: this machine lets nobody mount a file system: {why}");
            return report::write("full disk", &json!({"skipped": why}));
        }
    };
    stage.configure(&folder.join("vodrm.db"));
    let (before, client) = (Before::look(&stage), Client::default());
    let join = disk.join();
    let service = stage.serve_by(&join.iter().map(String::as_str).collect::<Vec<_>>(), None);
    let free = || fs::remove_file(disk.outside("filler")).unwrap();
    let trouble = job(&stage, &client, &service, &|| disk.fill(), &free);
    assert!(trouble.refusals.iter().all(|status| *status == 507), "{:?}", trouble.refusals);
    // The log may have a page or two left: too little for a request, enough for the journal's own
    // probe or for a last claim, which is then on disk as it must be.
    assert!(trouble.calls <= 3, "{} calls", trouble.calls);
    assert!(trouble.ready * 2 <= trouble.looks, "ready {} of {} times", trouble.ready, trouble.looks);
    let evidence = before.collect_after(&stage, &client, service, 0, || {
        fs::copy(disk.outside("vodrm.db"), stage.journal_path()).unwrap();
    });
    conclude("full disk", &evidence, &trouble, from);
}
