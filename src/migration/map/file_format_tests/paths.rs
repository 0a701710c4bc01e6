//! UNC paths.

use super::*;
use crate::message::Code;
use crate::model::safe_name::RelPath;

#[tokio::test]
async fn paths_match_exactly_by_default_and_respect_the_scope() {
    let lines = "[Registry Values]\r\nMACHINE\\X\\Y=1,\"\\\\fs1\\a\\b\"\r\n";
    let rows = [(
        "UNCPath",
        "\\\\FS1\\A\\",
        "<Destination>\\\\fs9\\z</Destination>",
    )];
    let (text, report) = run(lines, &rows, MapOptions::default()).await.unwrap();
    assert_eq!(text, lines);
    assert_eq!(codes(&report), [Code::WouldMatchByPrefix, Code::UnusedRow]);
    let prefix = MapOptions {
        unc_match: UncMatch::Prefix,
        ..MapOptions::default()
    };
    let (text, _) = run(lines, &rows, prefix).await.unwrap();
    assert_eq!(text, lines.replace("\\\\fs1\\a\\b", "\\\\fs9\\z\\b"));
    // GPMC does not look into registry values.
    let gpmc = MapOptions {
        scope: Scope::Gpmc,
        exclusive: true,
        ..prefix
    };
    let (text, report) = run(lines, &rows, gpmc).await.unwrap();
    assert_eq!(text, lines);
    assert_eq!(report.counts.out_of_scope, 1);
}

/// A snapshot of GPO `{11111111-…}` whose GptTmpl.inf has this path in a registry value.
async fn follow(
    path: &str,
    rows: &[(&str, &str, &str)],
    target_gpo: Option<&str>,
    exclusive: bool,
) -> Result<(String, MappingReport)> {
    let mut snapshot = snapshot(&format!("[Registry Values]\r\nM\\X=1,\"{path}\"\r\n"));
    snapshot.guid = "{11111111-2222-3333-4444-555555555555}".parse().unwrap();
    let script = "User\\Scripts\\Logon\\a b.bat".parse().unwrap();
    snapshot.tree.insert_file(&script, Bytes::from("x"));
    snapshot.file_paths = vec![path.to_owned()];
    let options = MapOptions {
        target_gpo: target_gpo.map(|guid| guid.parse().unwrap()),
        exclusive,
        ..MapOptions::default()
    };
    let mapped = map(&snapshot, Some(&table(rows)), &Target, &options).await?;
    let bytes = mapped.snapshot.tree.file(INF).unwrap().to_vec();
    let text = String::from_utf8(bytes).unwrap();
    let new = text.split_once("1,\"").unwrap().1.trim_end();
    let new = new.strip_suffix('"').unwrap().to_owned();
    assert_eq!(mapped.snapshot.file_paths, [new.as_str()]);
    Ok((new, mapped.report))
}

#[tokio::test]
async fn a_path_into_the_gpos_own_folder_is_changed_to_the_target_gpo() {
    let new = "{99999999-2222-3333-4444-555555555555}";
    let folder = |server: &str, domain: &str, guid: &str, rest: &str| {
        format!("\\\\{server}\\SysVol\\{domain}\\Policies\\{guid}{rest}")
    };
    let own = "{11111111-2222-3333-4444-555555555555}";
    let file = "\\User\\Scripts\\LOGON\\a b.bat";
    for server in ["src.test", "dc1.SRC.test", "DC1"] {
        let path = folder(server, "src.test", own, file);
        let (text, report) = follow(&path, &[], Some(new), true).await.unwrap();
        assert_eq!(text, folder("dst.test", "dst.test", new, file));
        assert_eq!(codes(&report), [Code::OwnFolderFollowed]);
        assert_eq!((report.counts.replaced, report.counts.without_row), (1, 0));
    }
    let variable = folder("%USERDNSDOMAIN%", "%USERDNSDOMAIN%", own, "\\User");
    let (text, _) = follow(&variable, &[], Some(new), false).await.unwrap();
    assert_eq!(text, variable.replace("11111111", "99999999"));

    let missing = folder("src.test", "src.test", own, "\\Machine\\gone.cmd");
    let (text, report) = follow(&missing, &[], Some(new), false).await.unwrap();
    assert!(text.ends_with("\\Machine\\gone.cmd") && text.contains(new));
    assert_eq!(codes(&report), [Code::OwnFolderFileMissing]);

    // A row wins, also one that keeps the path.
    let path = folder("src.test", "src.test", own, file);
    for (destination, expected) in [
        ("<Destination>\\\\fs9\\z</Destination>", "\\\\fs9\\z"),
        ("<DestinationSameAsSource/>", path.as_str()),
    ] {
        let rows = [("UNCPath", path.as_str(), destination)];
        let (text, report) = follow(&path, &rows, Some(new), false).await.unwrap();
        assert_eq!(text, expected);
        assert_eq!(codes(&report), []);
    }
}

#[tokio::test]
async fn a_path_into_another_gpos_folder_is_kept_and_reported() {
    let own = "{11111111-2222-3333-4444-555555555555}";
    let path = format!("\\\\src.test\\sysvol\\src.test\\Policies\\{own}\\User");
    let (text, report) = follow(&path, &[], None, false).await.unwrap();
    assert_eq!(text, path);
    assert_eq!(codes(&report), [Code::OwnFolderLeft]);
    let other = path.replace("11111111", "77777777");
    let (text, report) = follow(&other, &[], Some(own), false).await.unwrap();
    assert_eq!(text, other);
    assert_eq!(codes(&report), [Code::OtherGpoFolder]);
    let error = follow(&other, &[], Some(own), true).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unmapped);
    // Neither another domain's folder nor a server that cannot be one of the source's.
    for foreign in [
        path.replace("src.test", "third.test"),
        path.replace("\\\\src.test", "\\\\evilsrc.test"),
    ] {
        let (text, report) = follow(&foreign, &[], Some(own), false).await.unwrap();
        assert_eq!(text, foreign);
        assert_eq!(codes(&report), [Code::UnmappedReference]);
    }
}

#[tokio::test]
async fn unc_paths_in_every_spelling_that_windows_accepts() {
    let row = (
        "UNCPath",
        r"\\old\share",
        r"<Destination>\\new\s</Destination>",
    );
    let script = "User\\Scripts\\scripts.ini";
    let run = async |path: &str, text: &str, exclusive: bool| {
        let mut source = snapshot("");
        let bytes = Bytes::from(text.to_owned());
        source.tree.insert_file(&path.parse().unwrap(), bytes);
        let options = MapOptions {
            exclusive,
            ..MapOptions::default()
        };
        let mapped = map(&source, Some(&table(&[row])), &Target, &options).await?;
        let bytes = mapped.snapshot.tree.file(path).unwrap().to_vec();
        Ok::<_, Error>((String::from_utf8(bytes).unwrap(), mapped.report))
    };
    for value in [
        r"0CmdLine=\\old\share/login.cmd",
        r"0CmdLine=\\old\share\\login.cmd",
        r"0CmdLine=\\old\share\login.cmd",
    ] {
        let text = format!("[Logon]\r\n{value}\r\n");
        let new = text.replace(r"\\old\share", r"\\new\s");
        assert_eq!(run(script, &text, true).await.unwrap().0, new);
    }
    let file = "User\\Documents & Settings\\fdeploy1.ini";
    let text = "[{A}_S-1-1-0]\r\nFullPath=\\\\old\\share\\\\%USERNAME%\r\n[Folder_Redirection]\r\n{A}=S-1-1-0\r\n";
    let (new, report) = run(file, text, false).await.unwrap();
    assert_eq!(new, text, "the whole path has no row");
    assert_eq!(codes(&report), [Code::WouldMatchByPrefix, Code::UnusedRow]);
    let text = text.replace(r"\\%", "/%");
    let (new, _) = run(file, &text, true).await.unwrap();
    assert_eq!(new, text.replace(r"\\old\share", r"\\new\s"));
    // A path in any other spelling is reported, and fails with an exclusive table.
    let text = "[Logon]\r\n0CmdLine=x\r\n0Parameters=run \\\\old\\\\share\r\n";
    let (_, report) = run(script, text, false).await.unwrap();
    assert!(codes(&report).contains(&Code::UnreadPath));
    let error = run(script, text, true).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unmapped);
    assert_eq!(error.details()[0].code, Code::UnreadPath);
}

#[tokio::test]
async fn a_path_with_an_argument_reports_the_prefix_row() {
    let rows = [(
        "UNCPath",
        "\\\\old\\share",
        "<Destination>\\\\new\\share</Destination>",
    )];
    let lines = "[Registry Values]\r\nMACHINE\\X=1,\"\\\\old\\share\\setup.exe/quiet\"\r\n";
    let mut with_script = snapshot(lines);
    let script = "[Startup]\r\n0CmdLine=\\\\old\\share\\setup.exe/quiet\r\n";
    with_script.tree.insert_file(
        &"Machine\\Scripts\\scripts.ini".parse().unwrap(),
        Bytes::from(script),
    );
    let options = MapOptions::default();
    let mapped = map(&with_script, Some(&table(&rows)), &Target, &options).await;
    let expected = [
        Code::WouldMatchByPrefix,
        Code::WouldMatchByPrefix,
        Code::UnusedRow,
    ];
    assert_eq!(codes(&mapped.unwrap().report), expected);
    let prefix = MapOptions {
        unc_match: UncMatch::Prefix,
        ..options
    };
    let mapped = map(&with_script, Some(&table(&rows)), &Target, &prefix).await;
    let mapped = mapped.unwrap();
    let file = |path: &str| mapped.snapshot.tree.file(path).unwrap().clone();
    assert_eq!(
        file("Machine\\Scripts\\scripts.ini"),
        script.replace("old", "new")
    );
    assert!(codes(&mapped.report).is_empty());
}

#[tokio::test]
async fn a_destination_that_its_place_cannot_hold_fails_before_anything_is_written() {
    let lines = "[Registry Values]\r\nMACHINE\\X=1,\"C:\\a;\\\\old\\share\"\r\n";
    let rows = [(
        "UNCPath",
        "\\\\old\\share",
        "<Destination>\\\\new\\a;b</Destination>",
    )];
    let error = run(lines, &rows, MapOptions::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BadInput);
    let details: Vec<Code> = error.details().iter().map(|detail| detail.code).collect();
    assert_eq!(details, [Code::BadPath]);
}

#[tokio::test]
async fn deep_paths_are_matched_in_bounded_time() {
    let deep = "\\b".repeat(300_000);
    let lines = format!("[Registry Values]\r\nMACHINE\\X=1,\"\\\\old{deep}\"\r\n");
    let rows = [(
        "UNCPath",
        "\\\\old\\b\\b",
        "<Destination>\\\\new\\c</Destination>",
    )];
    let options = MapOptions {
        unc_match: UncMatch::Prefix,
        ..MapOptions::default()
    };
    let (text, report) = run(&lines, &rows, options).await.unwrap();
    assert_eq!(text, lines.replacen("\\\\old\\b\\b", "\\\\new\\c", 1));
    assert_eq!(report.counts.replaced, 1);
}

/// The lines of a section that is removed are visited as those of any other, or the places after it would get its decisions.
#[tokio::test]
async fn a_removed_section_with_other_references_is_mapped() {
    let mut gpo = snapshot("");
    let path: RelPath = "User\\Documents & Settings\\fdeploy1.ini".parse().unwrap();
    let section = |sid: &str, folder: &str| {
        format!(
            "[{{A}}_{sid}]\r\nFullPath=\\\\old\\{folder}\r\nOther=\\\\old\\x\\y\r\nTwo=\\\\old/x\r\n"
        )
    };
    let crew = "S-1-5-21-1-1-1-1002";
    let text = format!(
        "[Folder_Redirection]\r\n{{A}}=S-1-5-21-1-1-1-1001;{crew};\r\n{}{}",
        section("S-1-5-21-1-1-1-1001", "a"),
        section(crew, "b")
    );
    gpo.tree.insert_file(&path, Bytes::from(text));
    let table = table(&[
        ("GlobalGroup", "Helpdesk@src.test", "<DestinationNone/>"),
        ("GlobalGroup", "Crew@src.test", "<DestinationSameAsSource/>"),
        (
            "UNCPath",
            r"\\old\x\y",
            r"<Destination>\\new\z\y</Destination>",
        ),
    ]);
    let mapped = map(&gpo, Some(&table), &Target, &MapOptions::default())
        .await
        .unwrap();
    let bytes = mapped.snapshot.tree.file(&path.to_string()).unwrap();
    let kept = section(crew, "b").replace(r"\\old\x\y", r"\\new\z\y");
    assert_eq!(
        String::from_utf8(bytes.to_vec()).unwrap(),
        format!("[Folder_Redirection]\r\n{{A}}={crew};\r\n{kept}")
    );
    let unread = |message: &&StatusMessage| message.code == Code::UnreadPath;
    assert_eq!(mapped.report.messages.iter().filter(unread).count(), 1);
}
