//! The in-memory SYSVOL, filled from the corpus and read like a server.

use gpoctl::model::guid::Guid;
use gpoctl::model::sid::Sid;
use gpoctl::sysvol::gpt::read_gpt;
use gpoctl::testing::sysvol::{MemorySysvol, SysvolLogin};

use crate::support::corpus;
use crate::support::corpus_gpos::{backups, files, sysvol_trees};

/// Every backup and every SYSVOL tree has the same files in memory as on disk.
#[tokio::test]
#[ignore = "needs GPOCTL_CORPUS"]
async fn what_is_filled_from_a_folder_is_read_again() {
    let root = corpus();
    let trees = sysvol_trees(&root).into_iter().map(|gpo| gpo.dir);
    let of_backups = backups(&root)
        .into_iter()
        .map(|gpo| gpo.dir.join("DomainSysvol/GPO"));
    let folders: Vec<_> = trees
        .chain(of_backups)
        .filter(|folder| folder.is_dir())
        .collect();
    let domain = "corpus.test".parse().unwrap();
    let sid: Sid = "S-1-5-21-1-2-3".parse().unwrap();
    let mut count = 0;
    for folder in &folders {
        let guid = Guid::new_random();
        let server = MemorySysvol::builder(&domain, &sid)
            .gpo_from_folder(guid, folder)
            .build()
            .unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let client = server.connect(SysvolLogin::administrator(&sid));
        let read = read_gpt(&client, &domain, guid).await.unwrap();
        let ini = read.gpt_ini.map(|ini| ("gpt.ini".to_owned(), ini.to_vec()));
        let mut found: Vec<(String, Vec<u8>)> = read
            .tree
            .files()
            .map(|(path, content)| (path.folded(), content.to_vec()))
            .chain(ini)
            .collect();
        found.sort();
        let mut expected: Vec<(String, Vec<u8>)> = files(folder)
            .into_iter()
            .map(|path| {
                let below = path.strip_prefix(folder).unwrap().to_str().unwrap();
                (below.to_lowercase(), std::fs::read(&path).unwrap())
            })
            .collect();
        expected.sort();
        assert!(found == expected, "{}", folder.display());
        count += found.len();
    }
    println!("{} folders, {count} files", folders.len());
    assert!(folders.len() > 150 && count > 500);
}
