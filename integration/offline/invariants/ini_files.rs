//! INI files and the formats that are written as such.

use super::*;

pub fn ini(data: &[u8]) {
    let Ok(ini) = IniFile::parse(data) else {
        assert!(
            text::decode(data).is_err(),
            "only an encoding can be refused"
        );
        return;
    };
    assert_eq!(ini.to_bytes().unwrap(), data);
    let before = lines(&ini);
    let pairs: Vec<usize> = ini
        .lines()
        .filter(|line| line.pair().is_some())
        .map(|line| line.number)
        .collect();
    let headers: Vec<usize> = ini
        .lines()
        .filter(|line| matches!(line.kind, LineKind::Section(_)))
        .map(|line| line.number)
        .collect();
    // Other characters are inserted only in encodings that have them.
    if let Some(&number) = pairs.get(choose(data, pairs.len())) {
        let edits: [fn(&mut IniFile, usize, &str); 2] =
            [IniFile::replace_value, IniFile::replace_key];
        for edit in edits {
            let mut edited = ini.clone();
            edit(&mut edited, number, "edited");
            assert_only_changed(&before, &edited, number);
        }
        let mut edited = ini.clone();
        edited.replace_value(number, "edited");
        let line = edited
            .lines()
            .find(|line| line.number == number)
            .unwrap()
            .text
            .to_owned();
        assert!(line.contains("edited"), "{line:?}");
        let mut shorter = ini.clone();
        shorter.remove_line(number);
        let kept: Vec<&String> = before
            .iter()
            .enumerate()
            .filter(|(index, _)| index + 1 != number)
            .map(|(_, line)| line)
            .collect();
        assert!(lines(&shorter).iter().eq(kept));
        written(&shorter);
    }
    if let Some(&number) = headers.get(choose(data, headers.len())) {
        let mut edited = ini.clone();
        edited.rename_section(number, "edited");
        assert_only_changed(&before, &edited, number);
        let mut shorter = ini.clone();
        shorter.remove_section(number);
        assert!(shorter.lines().count() < before.len());
        written(&shorter);
    }
    let mut with = ini.clone();
    with.set("General", "Version", "77");
    assert_eq!(with.value("General", "Version"), Some("77"));
    if let Some(again) = written(&with) {
        assert_eq!(again.value("General", "Version"), Some("77"));
    }
}

/// The file when it is read again after an edit; `None` when it is refused, because without a byte order mark it would be read
/// as another text.
fn written(edited: &IniFile) -> Option<IniFile> {
    let bytes = match edited.to_bytes() {
        Ok(bytes) => bytes,
        Err(TextError::ReadOtherwise(..)) => return None,
        Err(error) => panic!("{error}"),
    };
    let again = IniFile::parse(&bytes).unwrap();
    assert_eq!(again.to_bytes().unwrap(), bytes);
    Some(again)
}

/// All lines but one are unchanged, also after writing and reading.
fn assert_only_changed(before: &[String], edited: &IniFile, number: usize) {
    let after = lines(edited);
    assert_eq!(after.len(), before.len());
    for (index, (old, new)) in before.iter().zip(&after).enumerate() {
        assert!(index + 1 == number || old == new, "line {} too", index + 1);
    }
    if let Some(again) = written(edited) {
        assert_eq!(lines(&again), after);
    }
}

pub fn gpt_ini(data: &[u8]) {
    let version = GpoVersion::from_combined(0x0012_0034);
    let new = match gpt_ini::write_version(data, version) {
        Ok(new) => new,
        // Refused, because it would be read differently with the number in it.
        Err(GptIniError::Text(TextError::ReadOtherwise(..))) => return,
        Err(_) => {
            assert!(gpt_ini::read_version(data).is_err());
            return;
        }
    };
    assert_eq!(gpt_ini::read_version(&new), Ok(Some(version)));
    // If the number exists, only the number changes.
    let other = GpoVersion::from_combined(7);
    if let Ok(there) = gpt_ini::write_version(&new, other) {
        assert_same(&gpt_ini::write_version(&there, version).unwrap(), &new);
    }
}

pub fn gpt_tmpl(data: &[u8]) {
    let Ok(file) = GptTmpl::parse(data) else {
        return refused(r"Machine\Microsoft\Windows NT\SecEdit\GptTmpl.inf", data);
    };
    assert_eq!(file.to_bytes().unwrap(), data);
    for (line, setting) in file.settings() {
        match setting {
            Setting::PrivilegeRight { members, .. } => assert_span(line.text, &members),
            Setting::GroupMembership { group, members, .. } => {
                assert_span(line.text, &group);
                assert_span(line.text, &members);
            }
            Setting::RegistryValue { data, .. } => assert_span(line.text, &data),
            Setting::Secured { name, mode, sddl } => {
                for span in [name, mode, sddl] {
                    assert_span(line.text, &span);
                }
            }
            Setting::Other { .. } => {}
        }
    }
    visits(r"Machine\Microsoft\Windows NT\SecEdit\GptTmpl.inf", data);
}

pub fn fdeploy(data: &[u8]) {
    let Ok(file) = Fdeploy::parse(data) else {
        return refused(r"User\Documents & Settings\fdeploy1.ini", data);
    };
    assert_eq!(file.to_bytes().unwrap(), data);
    for (line, redirection) in file.redirections() {
        match redirection {
            Redirection::Principals { list, .. } => assert_span(line.text, &list),
            Redirection::FullPath(path) => assert_span(line.text, &path),
            Redirection::Path { sid, path } => {
                assert_span(line.text, &sid);
                assert_span(line.text, &path);
            }
            Redirection::Target { .. } | Redirection::Flags(_) | Redirection::Status { .. } => {}
        }
    }
    visits(r"User\Documents & Settings\fdeploy1.ini", data);
}

pub fn scripts(data: &[u8]) {
    let Ok(file) = Scripts::parse(data) else {
        return refused(r"User\Scripts\scripts.ini", data);
    };
    assert_eq!(file.to_bytes().unwrap(), data);
    for (line, script) in file.scripts() {
        assert_span(line.text, &script.value);
    }
    visits(r"User\Scripts\psscripts.ini", data);
}
