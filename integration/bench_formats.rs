//! How fast real files are read and written again, per format, and how long `gpoctl backups show` takes for every backup of the corpus in
//! one process, on one core. Prints times and which aims they meet; asserts nothing. `integration/bench_formats` runs it beside Samba's
//! parsers.
//!
//! `cargo bench --bench bench_formats` with the environment variable `GPOCTL_CORPUS`.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program that measures; what cannot be read ends it"
)]

#[path = "support/corpus_gpos.rs"]
mod corpus_gpos;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use gpoctl::formats::migtable::{Destination, Entry, EntryType, MigTable};
use gpoctl::formats::{backup_xml, bkup_info, gpt_ini, ini::IniFile, manifest};
use gpoctl::migration::references::{Rewrite, check_format, visit_file};
use gpoctl::model::principal::PrincipalType;
use gpoctl::model::safe_name::RelPath;

/// A format of files that no snapshot holds: its name, how the files' names end, and reading and writing one.
type Other = (&'static str, &'static str, fn(&[u8]) -> Vec<u8>);

/// How long each measurement goes on.
const MEASURE: Duration = Duration::from_millis(700);

fn main() {
    let root = corpus_gpos::root();
    let arguments: Vec<String> = std::env::args().collect();
    let value = |option: &str| {
        let position = arguments.iter().position(|argument| argument == option)?;
        arguments.get(position + 1)
    };
    if arguments.iter().any(|argument| argument == "--show-all") {
        return show_all(&root);
    }
    let formats = files_by_format(&root);
    if let Some(folder) = value("--export") {
        return export(&formats, &root, Path::new(folder));
    }
    if let Some(accepted) = value("--accepted") {
        return throughput_of(&formats, &root, Path::new(accepted));
    }
    throughput(&formats, &root);
    let me = std::env::current_exe().unwrap();
    // A process of its own, so that the peak of its memory is that of showing and of nothing else.
    for _ in 0..3 {
        let mut command = Command::new("taskset");
        let command = command.args(["-c", "0"]).arg(&me).arg("--show-all");
        let command = command.stderr(Stdio::inherit());
        let shown = command.output().unwrap();
        assert!(shown.status.success());
        count_shown(&shown.stdout);
    }
}

/// "met" or "MISSED".
fn met(aim: bool) -> &'static str {
    if aim { "met" } else { "MISSED" }
}

type Formats = BTreeMap<&'static str, Vec<(RelPath, Bytes)>>;

/// The files of all GPOs that the library reads, by the name of their format.
fn files_by_format(root: &Path) -> Formats {
    let mut gpos = corpus_gpos::backups(root);
    gpos.extend(corpus_gpos::sysvol_trees(root));
    let mut formats = Formats::new();
    for gpo in &gpos {
        for (path, content) in gpo.snapshot.tree.files() {
            if let Some(Ok(format)) = check_format(path, content) {
                let files = formats.entry(format).or_default();
                files.push((path.clone(), content.clone()));
            }
        }
    }
    formats
}

/// The files that no snapshot holds whose names end like this.
fn other_files(root: &Path, end: &str) -> Vec<Vec<u8>> {
    corpus_gpos::files(root)
        .iter()
        .filter(|path| corpus_gpos::name(path).to_lowercase().ends_with(end))
        .map(|path| std::fs::read(path).unwrap())
        .collect()
}

/// Writes the files, a folder for each format, so that another program can read the very same ones.
fn export(formats: &Formats, root: &Path, folder: &Path) {
    let write = |format: &str, number: usize, content: &[u8]| {
        let folder = folder.join(format);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(format!("{number:04}")), content).unwrap();
    };
    for (format, files) in formats {
        for (number, (_, content)) in files.iter().enumerate() {
            write(format, number, content);
        }
    }
    for (number, content) in other_files(root, "gpt.ini").iter().enumerate() {
        write("GPT.INI", number, content);
    }
}

/// The throughput with only those exported files that another program accepted: a line for each format, its name and the files'
/// numbers parted by tabs. Prints name, files, bytes and MB/s likewise.
fn throughput_of(formats: &Formats, root: &Path, accepted: &Path) {
    for line in std::fs::read_to_string(accepted).unwrap().lines() {
        let mut columns = line.split('\t');
        let format = columns.next().unwrap();
        let numbers: Vec<usize> = columns.map(|number| number.parse().unwrap()).collect();
        let (bytes, time) = if format == "GPT.INI" {
            let all = other_files(root, "gpt.ini");
            let files: Vec<&Vec<u8>> = numbers.iter().map(|at| all.get(*at).unwrap()).collect();
            let time = measure(|| {
                for file in &files {
                    black_box(gpt_ini_again(file));
                }
            });
            (files.iter().map(|file| file.len()).sum(), time)
        } else {
            let all = formats.get(format).unwrap();
            let files: Vec<_> = numbers.iter().map(|at| all.get(*at).unwrap()).collect();
            let time = measure(|| {
                for (path, content) in &files {
                    black_box(check_format(path, content)).unwrap().unwrap();
                }
            });
            (files.iter().map(|(_, content)| content.len()).sum(), time)
        };
        let speed = speed(bytes, time);
        println!("{format}\t{}\t{bytes}\t{speed:.1}", numbers.len());
    }
}

/// GPT.INI, read and written again.
fn gpt_ini_again(bytes: &[u8]) -> Vec<u8> {
    let _ = black_box(gpt_ini::read_version(bytes));
    IniFile::parse(bytes).unwrap().to_bytes().unwrap()
}

/// MB/s.
fn speed(bytes: usize, time: Duration) -> f64 {
    u32::try_from(bytes).map(f64::from).unwrap() / 1e6 / time.as_secs_f64()
}

/// The median time of one round over all files.
fn measure(mut round: impl FnMut()) -> Duration {
    round();
    let begin = Instant::now();
    let mut times = Vec::new();
    while begin.elapsed() < MEASURE || times.len() < 3 {
        let begin = Instant::now();
        round();
        times.push(begin.elapsed());
    }
    times.sort();
    *times.get(times.len() / 2).unwrap()
}

fn row(
    format: &str,
    files: usize,
    bytes: usize,
    read_and_write: Duration,
    visit: Option<Duration>,
) {
    let text = |time: Duration| format!("{:.1}", speed(bytes, time));
    println!(
        "{format:20} {files:6} {bytes:10} {:>10} {:>10}",
        text(read_and_write),
        visit.map(text).unwrap_or_default()
    );
    if format == "Registry.pol" {
        let aim = met(speed(bytes, read_and_write) >= 300.0);
        println!("      aim: at least 300 MB/s: {aim}");
    }
}

fn throughput(formats: &Formats, root: &Path) {
    println!(
        "{:20} {:>6} {:>10} {:>10} {:>10}",
        "format", "files", "bytes", "MB/s", "scan MB/s"
    );
    for (format, files) in formats {
        let bytes = files.iter().map(|(_, content)| content.len()).sum();
        let read_and_write = measure(|| {
            for (path, content) in files {
                black_box(check_format(path, content)).unwrap().unwrap();
            }
        });
        let visit = measure(|| {
            for (path, content) in files {
                black_box(visit_file(path, content, &mut |_| Rewrite::Keep)).unwrap();
            }
        });
        row(format, files.len(), bytes, read_and_write, Some(visit));
    }
    let others: [Other; 5] = [
        ("GPT.INI", "gpt.ini", gpt_ini_again),
        ("Backup.xml", "backup.xml", |bytes| {
            backup_xml::parse(bytes).unwrap().backup.to_bytes()
        }),
        ("bkupInfo.xml", "bkupinfo.xml", |bytes| {
            bkup_info::parse(bytes).unwrap().to_bytes()
        }),
        ("manifest.xml", "manifest.xml", |bytes| {
            manifest::parse(bytes).unwrap().to_bytes()
        }),
        ("migration table", ".migtable", |bytes| {
            MigTable::parse(bytes).unwrap().to_bytes()
        }),
    ];
    for (format, end, read_and_write) in others {
        let files = other_files(root, end);
        let bytes = files.iter().map(Vec::len).sum();
        let time = measure(|| {
            for file in &files {
                black_box(read_and_write(file));
            }
        });
        row(format, files.len(), bytes, time, None);
    }
    // As fast with many rows as with few, or something in it is quadratic.
    for rows in [1_000, 10_000] {
        let mut table = MigTable::new();
        table.set_all((0..rows).map(table_row)).unwrap();
        let bytes = table.to_bytes();
        let time = measure(|| {
            let mut table = MigTable::parse(&bytes).unwrap();
            table.set_all((0..rows).map(table_row)).unwrap();
            black_box(table.to_bytes());
        });
        row(&format!("table, {rows} rows"), 1, bytes.len(), time, None);
    }
}

/// A row of a migration table.
fn table_row(number: usize) -> Entry {
    Entry {
        source: format!("group{number}@a.example"),
        kind: EntryType::Principal(PrincipalType::GlobalGroup),
        destination: Destination::Set(format!("group{number}@b.example")),
    }
}

/// Runs `gpoctl backups show --json` for every backup, one after the other in this process, and says on standard error how long it
/// took. What the command prints goes to standard output.
fn show_all(root: &Path) {
    let dirs = backup_dirs(root);
    let begin = Instant::now();
    for dir in &dirs {
        let words = ["gpoctl", "backups", "show", "--json"].map(OsString::from);
        let status = gpoctl::cli::main_with(words.into_iter().chain([dir.into()]));
        assert_eq!(status, 0, "{}", dir.display());
    }
    let (time, peak) = (begin.elapsed().as_secs_f64(), peak_memory());
    eprintln!(
        "show: {} backups in {time:.3} s on one core (aim: under 1 s: {}); peak memory {peak} kB (aim: under 65536: {})",
        dirs.len(),
        met(time < 1.0),
        met(peak < 65536)
    );
}

/// What [`show_all`] printed: one document for each backup.
fn count_shown(output: &[u8]) {
    let documents: Vec<serde_json::Value> = serde_json::Deserializer::from_slice(output)
        .into_iter()
        .collect::<Result<_, _>>()
        .unwrap();
    let sum = |list: &str| -> usize {
        let lists = documents.iter().map(|document| &document[list]);
        lists.map(|list| list.as_array().unwrap().len()).sum()
    };
    println!(
        "      {} documents of {} bytes: {} files, {} references, {} risks, {} messages",
        documents.len(),
        output.len(),
        sum("files"),
        sum("references"),
        sum("risks"),
        sum("messages"),
    );
}

fn backup_dirs(root: &Path) -> Vec<PathBuf> {
    corpus_gpos::files(root)
        .into_iter()
        .filter(|path| corpus_gpos::name(path).eq_ignore_ascii_case("Backup.xml"))
        .map(|path| path.parent().unwrap().to_owned())
        .collect()
}

/// The largest resident set of this process so far in kB, as Linux tells it.
fn peak_memory() -> u32 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.unwrap().trim().trim_end_matches(" kB");
    number.parse().unwrap()
}
