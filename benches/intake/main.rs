//! How fast a large upload is taken in, beside what bare SQLite takes.
//!
//! Starts the real service, sends it a list of ids as `curl --data-binary` would,
//! and times the upload until it is answered, which is after its seal is on disk.
//! Then SQLite's own shell puts the very same rows into a file with the same
//! tables, indexes and pragmas, in one transaction, and both rates are printed.
//! With `--finish` the vendor's simulator is let loose and the deletion runs to its
//! end, for the process's peak memory and the bytes that a finished item takes.
//!
//! `cargo bench --bench intake -- --items 1000000 --finish`; needs `sqlite3` on the path.

#![expect(clippy::print_stdout, reason = "a bench prints what it found")]
#![expect(clippy::cast_precision_loss, reason = "counts and sizes here are far below 2^52")]

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use rand::{RngExt as _, SeedableRng as _};

/// How long the service may take to start or to say what is asked of it.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long a deletion may take to run to its end.
const FINISH: Duration = Duration::from_mins(20);
/// Always the same ids.
const SEED: u64 = 7;

/// The command line.
#[derive(Debug, clap::Parser)]
struct Options {
    /// Ids in the upload
    #[arg(long, default_value_t = 1_000_000)]
    items: u32,
    /// Let it run to its end as well
    #[arg(long)]
    finish: bool,
    /// The service to time, instead of the one that is built with this
    #[arg(long, default_value = env!("CARGO_BIN_EXE_vodrm"))]
    program: PathBuf,
    /// Set by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> anyhow::Result<()> {
    let options = <Options as clap::Parser>::parse();
    if !options.bench {
        println!("this takes a minute: cargo bench --bench intake");
        return Ok(());
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench-intake");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    let list = folder.join("ids.txt");
    fs::write(&list, ids(options.items))?;

    let vendor = Running::start(
        &options.program,
        &["sandbox", "--alibaba", "127.0.0.1:0", "--tencent", "127.0.0.1:0"],
        &[],
    )?;
    let endpoint = vendor.said("Alibaba").context("the simulator says where it listens")?;
    // So slow that nothing is sent while the upload is timed.
    let service = serve(&options.program, &folder, &endpoint, "1.1")?;
    let idle = memory(service.pid(), "VmHWM")?;
    let began = Instant::now();
    let answer = upload(&service.address()?, &list)?;
    let took = began.elapsed();
    anyhow::ensure!(answer.starts_with("HTTP/1.1 202"), "the upload was answered: {answer}");
    let received = memory(service.pid(), "VmHWM")?;
    service.end()?;

    let bare = bare_sqlite(&folder, options.items)?;
    let (ours, theirs) = (rate(options.items, took), rate(options.items, bare));
    println!("items            {}", options.items);
    println!("service          {ours:>9.0} items/s  ({:.2} s)", took.as_secs_f64());
    println!("bare SQLite      {theirs:>9.0} items/s  ({:.2} s)", bare.as_secs_f64());
    println!("ratio            {:>9.2}", ours / theirs);
    println!("peak memory      {:>9.1} MiB idle, {:.1} MiB after the upload", mib(idle), mib(received));
    println!("waiting item     {:>9.0} bytes on disk", size(&folder) as f64 / f64::from(options.items));
    if options.finish {
        finish(&options.program, &folder, &endpoint, options.items)?;
    }
    drop(vendor);
    Ok(())
}

/// Ids as Alibaba writes them: 32 hexadecimal digits, in no order.
fn ids(items: u32) -> String {
    let mut chance = rand::rngs::StdRng::seed_from_u64(SEED);
    let line = |_| format!("{:032x}\n", chance.random::<u128>());
    (0..items).map(line).collect()
}

fn rate(items: u32, time: Duration) -> f64 {
    f64::from(items) / time.as_secs_f64()
}

fn mib(kib: u64) -> f64 {
    kib as f64 / 1024.0
}

/// Runs the deletion to its end against a vendor without limits.
fn finish(program: &Path, folder: &Path, endpoint: &str, items: u32) -> anyhow::Result<()> {
    let options = r#"{"enforce_qps": false, "fast": true}"#;
    let host = endpoint.trim_start_matches("http://");
    let told = request(host, "PUT", "/_sandbox/options", "application/json", options.as_bytes())?;
    anyhow::ensure!(told.starts_with("HTTP/1.1 2"), "the simulator answered: {told}");
    let service = serve(program, folder, endpoint, "5000")?;
    let began = Instant::now();
    let address = service.address()?;
    loop {
        let list = request(&address, "GET", "/v1/deletions?state=finished", "text/plain", b"")?;
        if list.contains("\"finished_at\"") {
            break;
        }
        anyhow::ensure!(began.elapsed() < FINISH, "not finished within {FINISH:?}");
        std::thread::sleep(Duration::from_millis(500));
    }
    let took = began.elapsed();
    let peak = memory(service.pid(), "VmHWM")?;
    service.end()?;
    println!("run to the end   {:>9.0} items/s  ({:.1} s)", rate(items, took), took.as_secs_f64());
    println!("peak memory      {:>9.1} MiB while it ran", mib(peak));
    println!("finished item    {:>9.0} bytes on disk", size(folder) as f64 / f64::from(items));
    Ok(())
}

fn serve(program: &Path, folder: &Path, endpoint: &str, qps: &str) -> anyhow::Result<Running> {
    let config = folder.join("vodrm.toml");
    let journal = folder.join("vodrm.db");
    let text = format!(
        r#"
[server]
listen = "127.0.0.1:0"
[store]
url = "sqlite://{}"
[log]
level = "warn,vodrm::app=info"
[accounts.bench]
provider = "alibaba"
region = "cn-shanghai"
endpoint = "{endpoint}"
credentials = {{ env = {{ id = "BENCH_ID", secret = "BENCH_SECRET" }} }}
[accounts.bench.limits.DeleteVideo]
qps = {qps}
share = 1.0
"#,
        journal.display()
    );
    fs::write(&config, text)?;
    let config = config.to_str().context("the folder's name is no text")?.to_owned();
    let key = [
        ("BENCH_ID", vodrm::providers::alibaba::sandbox::seed::ACCESS_KEY_ID),
        ("BENCH_SECRET", vodrm::providers::alibaba::sandbox::seed::ACCESS_KEY_SECRET),
    ];
    Running::start(program, &["serve", "--config", &config], &key)
}

/// Sends the list as one body of known length.
fn upload(address: &str, list: &Path) -> anyhow::Result<String> {
    let mut file = fs::File::open(list)?;
    let mut stream = TcpStream::connect(address)?;
    write!(
        stream,
        "POST /v1/deletions?account=bench HTTP/1.1\r\nHost: {address}\r\nContent-Type: text/plain\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        file.metadata()?.len()
    )?;
    std::io::copy(&mut file, &mut stream)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

fn request(address: &str, method: &str, path: &str, kind: &str, body: &[u8]) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n",
        body.len()
    )?;
    stream.write_all(body)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// The rows of the service's journal, put by SQLite's shell into a file made the same way.
fn bare_sqlite(folder: &Path, items: u32) -> anyhow::Result<Duration> {
    let script = format!(
        r"
ATTACH '{journal}' AS source;
PRAGMA temp_store = MEMORY;
CREATE TEMP TABLE wanted AS SELECT {COLUMNS} FROM source.items;
UPDATE temp.wanted SET due_at = 1, lease_until = NULL, generation = 0, calls = 0,
    operation = coalesce(operation, 1), phase = coalesce(phase, 1);
DETACH source;
.timer on
.print begin
BEGIN IMMEDIATE;
INSERT INTO main.items ({COLUMNS}) SELECT * FROM temp.wanted;
COMMIT;
.timer off
.print end
SELECT 'rows ' || count(*) FROM main.items;
",
        journal = folder.join("vodrm.db").display()
    );
    let bare = folder.join("bare.db");
    let schema = shell(&folder.join("vodrm.db"), ".schema --nosys\n")?;
    let made = format!(
        "PRAGMA journal_mode = WAL;\nPRAGMA synchronous = FULL;\nPRAGMA cache_size = -65536;\n{schema}\n{script}"
    );
    let said = shell(&bare, &made)?;
    anyhow::ensure!(said.contains(&format!("rows {items}")), "the shell said: {said}");
    let timed = said.split("begin").nth(1).and_then(|rest| rest.split("end").next()).unwrap_or_default();
    let seconds: f64 = timed
        .lines()
        .filter_map(|line| line.strip_prefix("Run Time: real ")?.split(' ').next()?.parse::<f64>().ok())
        .sum();
    anyhow::ensure!(seconds > 0.0, "the shell timed nothing: {said}");
    Ok(Duration::from_secs_f64(seconds))
}

/// The columns of an item that waits; the others are NULL or computed.
const COLUMNS: &str = "deletion, idx, account, form, name, kind, what, label, same_as, behind, operation, \
    phase, grp, due_at, generation, lease_until, calls, tries";

fn shell(file: &Path, script: &str) -> anyhow::Result<String> {
    let mut shell = Command::new("sqlite3")
        .arg("-batch")
        .arg(file)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("sqlite3 is missing: install SQLite's shell (package sqlite3)")?;
    if let Some(mut input) = shell.stdin.take() {
        input.write_all(script.as_bytes())?;
    }
    let output = shell.wait_with_output()?;
    anyhow::ensure!(output.status.success(), "sqlite3 ended with {}", output.status);
    Ok(String::from_utf8(output.stdout)?)
}

/// Bytes of the journal with its log.
fn size(folder: &Path) -> u64 {
    let bytes = |name: &str| fs::metadata(folder.join(name)).map_or(0, |file| file.len());
    bytes("vodrm.db") + bytes("vodrm.db-wal")
}

/// A number of KiB from the kernel's page about a process.
fn memory(pid: u32, name: &str) -> anyhow::Result<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = text.lines().find(|line| line.starts_with(name)).context("the kernel does not say")?;
    Ok(line.split_whitespace().nth(1).context("no number")?.parse()?)
}

/// A vodrm that was started; it is killed if it is dropped.
struct Running {
    process: Child,
    lines: Vec<String>,
}

impl Running {
    fn start(program: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> anyhow::Result<Self> {
        let mut process = Command::new(program)
            .args(arguments)
            .envs(environment.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let mut lines = Vec::new();
        // Both say where they listen, one on each stream.
        let serves = arguments.first() == Some(&"serve");
        let found = if serves {
            read_until(process.stderr.take(), &mut lines, "serving")
        } else {
            read_until(process.stdout.take(), &mut lines, "Tencent")
        };
        anyhow::ensure!(found, "{arguments:?} did not say where it listens: {lines:?}");
        Ok(Self { process, lines })
    }

    fn pid(&self) -> u32 {
        self.process.id()
    }

    /// The first address in a line with this word.
    fn said(&self, word: &str) -> Option<String> {
        let line = self.lines.iter().find(|line| line.contains(word) && line.contains("127.0.0.1:"))?;
        let from = line.find("127.0.0.1:")?;
        let port: String = line.get(from + 10..)?.chars().take_while(char::is_ascii_digit).collect();
        Some(format!("http://127.0.0.1:{port}"))
    }

    fn address(&self) -> anyhow::Result<String> {
        let base = self.said("serving").context("the service says where it listens")?;
        Ok(base.trim_start_matches("http://").to_owned())
    }

    fn end(mut self) -> anyhow::Result<()> {
        let told = Command::new("kill").args(["-TERM", &self.pid().to_string()]).status()?;
        anyhow::ensure!(told.success(), "kill ended with {told}");
        let ended = self.process.wait()?;
        anyhow::ensure!(ended.success(), "the service ended with {ended}");
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Gone already, or there is nothing more to be done about it.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// Reads lines until one has the word; the rest of the stream is read by a thread, so that it never fills.
fn read_until(
    stream: Option<impl std::io::Read + Send + 'static>,
    lines: &mut Vec<String>,
    word: &str,
) -> bool {
    let Some(stream) = stream else { return false };
    let mut reader = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if !matches!(reader.read_line(&mut line), Ok(1..)) {
            return false;
        }
        let found = line.contains(word);
        lines.push(line);
        if found {
            break;
        }
    }
    std::thread::spawn(move || std::io::copy(&mut reader, &mut std::io::sink()));
    true
}
