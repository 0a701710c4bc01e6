//! A display name that anybody with write access to one object can choose, through every command of gpoctl: none of them prints
//! it as it is, and each that shows it shows it escaped.

use std::collections::BTreeSet;

use crate::support::*;

/// What an editor can write into a name with any LDAP client: a line separator, a change of direction, invisible characters.
const TAIL: &str = "\u{2028}forged\u{202e}\u{feff}\u{200b}";
const ESCAPED: &str = "\\u{2028}forged\\u{202e}\\u{feff}\\u{200b}";

/// What a command prints of a hostile name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Prints {
    /// It, escaped, and it ends with this status.
    Escaped(i32),
    /// The same of a check of the whole domain, whose status depends on what other tests have left there.
    EscapedOfAll,
    /// Nothing of it, and it succeeds.
    Nothing,
}
use Prints::{Escaped, EscapedOfAll, Nothing};

/// The exit status of a command that has done what it was asked to do.
const DONE: Prints = Escaped(0);
/// That of one which refuses what it was given.
const REFUSED: Prints = Escaped(1);
/// That of one which was not called as it has to be.
const USAGE: Prints = Escaped(2);

/// The commands that were run, by their words, and what is wrong with what they printed.
#[derive(Default)]
struct Covered {
    commands: BTreeSet<String>,
    faults: Vec<String>,
}

impl Covered {
    /// Runs a command, whose first words are its name, and looks at what it prints.
    fn run(&mut self, command: &str, arguments: &[&str], prints: Prints) -> Said {
        self.run_with(command, arguments, prints, &[])
    }

    /// The same with the domain.
    fn at(&mut self, command: &str, arguments: &[&str], prints: Prints) -> Said {
        self.run_with(command, arguments, prints, &["--domain", "dst.test"])
    }

    fn run_with(&mut self, words: &str, own: &[&str], prints: Prints, more: &[&str]) -> Said {
        self.commands.insert(words.to_owned());
        let all: Vec<&str> = words.split(' ').chain(own.iter().copied()).collect();
        let said: Said = command(&[&all, more].concat())
            .env("XDG_CACHE_HOME", scratch().join("hostile-cache"))
            .output()
            .unwrap()
            .into();
        let text = format!("{}{}", said.stdout, said.stderr);
        let hidden = |c: char| {
            (c.is_control() && c != '\n')
                || matches!(c, '\u{200b}' | '\u{2028}' | '\u{202e}' | '\u{feff}')
        };
        let is_right = match prints {
            Escaped(status) => said.status == status && text.contains(ESCAPED),
            EscapedOfAll => [0, 1, 4].contains(&said.status) && text.contains(ESCAPED),
            Nothing => said.status == 0 && !text.contains("forged"),
        };
        if !is_right || text.contains(hidden) {
            let status = said.status;
            self.faults.push(format!("{all:?}: {status}: {text:?}"));
        }
        said
    }
}

/// Every command, as the manual has them: those that have no commands of their own.
fn commands() -> BTreeSet<String> {
    let folder = tempfile::tempdir_in(scratch()).unwrap();
    let written = gpoctl(&["man", "--to", folder.path().to_str().unwrap()]);
    assert_eq!(written.status, 0, "{}", written.stderr);
    let pages: BTreeSet<String> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter_map(|name| Some(name.strip_prefix("gpoctl-")?.strip_suffix(".1")?.to_owned()))
        .collect();
    let has_commands = |page: &String| {
        let begin = format!("{page}-");
        pages.iter().any(|other| other.starts_with(&begin))
    };
    pages
        .iter()
        .filter(|page| !has_commands(page))
        .cloned()
        .collect()
}

/// A row of a table with such names; without a destination, it is the same as the source.
fn row((source, destination): (&str, &str)) -> String {
    let destination = match destination {
        "" => "<DestinationSameAsSource/>".to_owned(),
        name => format!("<Destination>{name}{TAIL}@dst.test</Destination>"),
    };
    format!(
        "<Mapping><Type>User</Type><Source>{source}{TAIL}@src.test</Source>{destination}</Mapping>"
    )
}

fn rows(rows: &[&str]) -> String {
    let space = "http://www.microsoft.com/GroupPolicy/GPOOperations/MigrationTable";
    format!(
        "<MigrationTable xmlns=\"{space}\">{}</MigrationTable>",
        rows.concat()
    )
}

#[test]
#[ignore = "needs the lab"]
fn no_command_prints_a_hostile_name_as_it_is() {
    let _alone = alone();
    let mut covered = Covered::default();
    let c = &mut covered;
    let name = &format!("{}{TAIL}", fresh("Evil"));
    let copy = &format!("{}{TAIL}", fresh("Copy"));
    let filter = &format!("{}{TAIL}", fresh("Filter"));
    let folder = tempfile::tempdir_in(scratch()).unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let backups = &path("backups");

    c.at("create", &[name, "--yes"], DONE);
    c.at("list", &[], DONE);
    // A program gets it as it is.
    let listed = gpoctl(&["list", "--json", "--domain", "dst.test"]).json();
    let gpos = listed["gpos"].as_array().unwrap();
    assert!(gpos.iter().any(|gpo| gpo["display_name"] == **name));
    c.at("show", &[name], DONE);
    c.at("rename", &[name, "Good", "--dry-run"], DONE);
    c.at("set-status", &[name, "none", "--yes"], DONE);
    c.at("set-status", &[name, "all", "--yes"], DONE);
    c.at("check", &[name], DONE);
    c.at("check", &["--all"], EscapedOfAll);
    c.at("backup", &[name, "--to", backups], DONE);
    c.run("backups list", &[backups], DONE);
    c.run("backups show", &[backups, name], DONE);
    c.run("backups verify", &[backups], DONE);
    c.at(
        "restore",
        &[name, "--backup-dir", backups, "--dry-run"],
        DONE,
    );
    c.at("diff", &[name, name], DONE);

    let plan = &path("import.plan");
    let from = ["--backup-dir", backups, "--into", name];
    c.at(
        "import",
        &[&[name.as_str()], &from[..], &["--plan-out", plan]].concat(),
        DONE,
    );
    c.at("apply", &[plan], DONE);
    let operations = c.run("operations list", &[], DONE);
    let id = operations
        .stdout
        .lines()
        .find(|line| line.contains("forged"));
    let id = id.unwrap().split_whitespace().next().unwrap().to_owned();
    c.run("operations show", &[&id], DONE);
    c.at("operations undo", &[&id, "--yes"], DONE);
    c.at(
        "operations cleanup",
        &[&format!("x{TAIL}"), "--yes"],
        REFUSED,
    );
    c.run("operations prune", &["--keep-last", "1", "--dry-run"], DONE);

    c.at("link add", &[name, "--target", "dst.test", "--yes"], DONE);
    c.at("link list", &["--all"], DONE);
    c.at("link list", &[name], DONE);
    c.at("check", &["--for", "Administrator"], DONE);
    let enforced = ["--target", "dst.test", "--enforced", "yes", "--yes"];
    c.at(
        "link set",
        &[&[name.as_str()], &enforced[..]].concat(),
        DONE,
    );
    c.at(
        "link remove",
        &[name, "--target", "dst.test", "--yes"],
        DONE,
    );

    let file = &path("filter.json");
    let json = serde_json::json!({
        "name": filter,
        "description": format!("x{TAIL}"),
        "queries": [{ "namespace": "root\\CIMv2", "language": "WQL", "query": "SELECT * FROM x" }],
    });
    std::fs::write(file, json.to_string()).unwrap();
    c.at("wmi import", &[file, "--yes"], DONE);
    c.at("wmi list", &[], DONE);
    c.at("wmi show", &[filter], DONE);
    c.at("wmi export", &[filter, "--to", &path("filter.mof")], DONE);
    c.at("wmi link", &[name, filter, "--yes"], DONE);
    c.at("wmi link", &["--none", name, "--yes"], DONE);

    let (table, twice, template) = (&path("a"), &path("twice"), &path("template"));
    c.run("migtable new", &[table], Nothing);
    let [first, second, filled] = [("a", "b"), ("c", ""), ("d", "%x%")].map(row);
    std::fs::write(table, rows(&[&first, &second])).unwrap();
    std::fs::write(twice, rows(&[&first, &first])).unwrap();
    std::fs::write(template, rows(&[&filled])).unwrap();
    let (source, other) = (&format!("c{TAIL}@src.test"), &format!("e{TAIL}@dst.test"));
    c.run("migtable show", &[table], DONE);
    c.run("migtable validate", &[twice], REFUSED);
    c.at("migtable suggest", &[table, "--dry-run"], DONE);
    c.run("migtable set", &[table, source, "--to", other], DONE);
    c.run("migtable remove", &[table, source], DONE);
    c.run("migtable remove", &[table, source], REFUSED);
    // These print numbers.
    let defined = &format!("x=y{TAIL}");
    let fill = [template, "--define", defined, "--out", &path("filled")];
    c.run("migtable fill", &fill, Nothing);
    let populate = [table, "--from-backup", name, "--backup-dir", backups];
    c.run("migtable populate", &populate, Nothing);

    // The names are known from the list above, and no shell gets this one.
    c.at("list", &[], DONE);
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        c.run("completions", &[shell], Nothing);
        let words = ["--", "gpoctl", "show", "--domain", "dst.test", ""];
        let offered: Said = command(&words)
            .env("XDG_CACHE_HOME", scratch().join("hostile-cache"))
            .env("_GPOCTL_COMPLETE", shell)
            .env("_CLAP_COMPLETE_INDEX", "4")
            .output()
            .unwrap()
            .into();
        assert!(
            offered.stdout.contains("Default"),
            "{shell}: {}",
            offered.stdout
        );
        assert!(
            !offered.stdout.contains("forged"),
            "{shell}: {}",
            offered.stdout
        );
    }
    c.run("man", &[&format!("x{TAIL}")], USAGE);
    c.run("help", &[&format!("x{TAIL}")], USAGE);

    let to = [
        "--from", "dst.test", "--to", "dst.test", "--yes", "--name", copy,
    ];
    c.run("copy", &[&[name.as_str()], &to[..]].concat(), DONE);
    c.at("delete", &[copy, "--yes"], DONE);
    c.at("delete", &[name, "--yes"], DONE);
    c.run(
        "backups prune",
        &[backups, "--keep-last", "1", "--dry-run"],
        DONE,
    );
    c.run("backups delete", &[backups, name, "--yes"], USAGE);
    let saved = || gpoctl(&["backups", "list", backups, "--json"]).json()["backups"].clone();
    let saved_id = saved()[0]["id"].as_str().unwrap().to_owned();
    c.run("backups delete", &[backups, &saved_id, "--yes"], DONE);
    assert_eq!(saved(), serde_json::json!([]));
    let left = state("dst");
    for found in left["wmi_filters"].as_array().unwrap() {
        if attribute(found, "msWMI-Name") == filter {
            inside(
                "dst",
                &["ldbdel", "-H", DATABASE, found["dn"].as_str().unwrap()],
            );
        }
    }

    assert!(covered.faults.is_empty(), "{}", covered.faults.join("\n"));
    let run = covered.commands.iter();
    let run: BTreeSet<String> = run.map(|words| words.replace(' ', "-")).collect();
    assert_eq!(run, commands(), "every command has a row here");
}
