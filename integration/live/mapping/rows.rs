//! One case for each rule of a row.

use super::*;

/// A test that runs alone.
macro_rules! case {
    ($(#[$meta:meta])* fn $name:ident($src:ident, $dst:ident) $body:block) => {
        $(#[$meta])*
        #[test]
        #[ignore = "needs the lab"]
        fn $name() {
            let _alone = DOMAIN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            let ($src, $dst) = (accounts("src"), accounts("dst"));
            $body
        }
    };
}

case! {
    fn each_of_the_four_destinations(src, dst) {
        let text = src.text(&format!(
            "{HEAD}[Privilege Rights]\r\nSeBatchLogonRight = *{{Helpdesk}},*{{carol}},*{{Server Admins}},*{{bob}}\r\n"
        ));
        let rows = [
            ("GlobalGroup", "Helpdesk@src.test", set("Support@dst.test")),
            ("User", "carol@src.test", relative()),
            ("UniversalGroup", "Server Admins@src.test", same()),
            ("User", "bob@src.test", none()),
        ];
        let done = imported(TEMPLATE, &text, &rows, &[]);
        let kept = src.sid("Server Admins");
        let expected = dst.text(&format!(
            "{HEAD}[Privilege Rights]\r\nSeBatchLogonRight = *{{Support}},*{{carol}},*{kept}\r\n"
        ));
        assert_eq!(done.text, expected);
        // With the option it is used, but does not exist in the target.
        assert_eq!(done.message("source-sid-left")["severity"], "warning");
    }
}

case! {
    fn a_row_of_the_wrong_type_is_used_and_reported(src, dst) {
        let text = src.text(&format!("{HEAD}[Privilege Rights]\r\nSeBatchLogonRight = *{{Helpdesk}}\r\n"));
        let rows = [("User", "Helpdesk@src.test", set("Support@dst.test"))];
        let done = imported(TEMPLATE, &text, &rows, &[]);
        assert_eq!(
            done.text,
            dst.text(&format!("{HEAD}[Privilege Rights]\r\nSeBatchLogonRight = *{{Support}}\r\n"))
        );
        let message = done.message("type-mismatch");
        assert_eq!(message["severity"], "warning");
        assert_eq!(message["place"]["line"], 3);
        let message = done.message("destination-type");
        assert!(message["text"].as_str().unwrap().contains("GlobalGroup"), "{message}");
    }
}

case! {
    fn two_rows_for_one_principal_in_two_notations_are_refused(src, _dst) {
        let text = src.text(&format!("{HEAD}[Privilege Rights]\r\nSeBatchLogonRight = *{{Helpdesk}}\r\n"));
        for second in [r"SRC\Helpdesk", r"src.test\helpdesk", src.sid("Helpdesk")] {
            let kind = if second.starts_with("S-") { "Unknown" } else { "GlobalGroup" };
            let rows = [
                ("GlobalGroup", "Helpdesk@src.test", set("Support@dst.test")),
                (kind, second, set("Filler One@dst.test")),
            ];
            let said = refused(TEMPLATE, &text, &rows, &[]);
            let message = one(said["messages"].as_array().unwrap(), "ambiguous-rows");
            let text = message["text"].as_str().unwrap();
            assert!(text.contains("Helpdesk@src.test"), "{text}");
            assert!(message["place"]["line"].is_number() || text.contains("line"), "{message}");
        }
    }
}

case! {
    fn sids_of_a_third_domain_are_kept_without_a_row(_src, dst) {
        let third = "S-1-5-21-111-222-333-1105";
        let other = "S-1-5-21-111-222-333-1106";
        let text = format!("{HEAD}[Privilege Rights]\r\nSeBatchLogonRight = *{third},*{other}\r\n");
        let rows = [("Unknown", third, set("Support@dst.test"))];
        let done = imported(TEMPLATE, &text, &rows, &[]);
        assert_eq!(
            done.text,
            dst.text(&format!("{HEAD}[Privilege Rights]\r\nSeBatchLogonRight = *{{Support}},*{other}\r\n"))
        );
        let message = done.message("foreign-sid-left");
        assert!(message["text"].as_str().unwrap().contains(other), "{message}");
        // With an exclusive table it is a reference like any other.
        let said = refused(TEMPLATE, &text, &rows, &["--exclusive"]);
        let message = one(said["messages"].as_array().unwrap(), "unmapped-reference");
        assert!(message["text"].as_str().unwrap().contains(other), "{message}");
        assert_eq!(message["place"]["section"], "Privilege Rights");
        assert_eq!(message["place"]["line"], 7);
    }
}

case! {
    fn well_known_and_builtin_principals_need_no_row_and_may_have_one(_src, dst) {
        let text = format!(
            "{HEAD}[Privilege Rights]\r\nSeBatchLogonRight = *S-1-5-32-544,*S-1-5-11,*S-1-5-32-551,*S-1-1-0\r\nSeServiceLogonRight = Guest\r\n"
        );
        let rows = [("Unknown", "Backup Operators", set("Backup Team@dst.test"))];
        let done = imported(TEMPLATE, &text, &rows, &[]);
        assert_eq!(
            done.text,
            dst.text(&format!(
                "{HEAD}[Privilege Rights]\r\nSeBatchLogonRight = *S-1-5-32-544,*S-1-5-11,*{{Backup Team}},*S-1-1-0\r\nSeServiceLogonRight = Guest\r\n"
            ))
        );
        let text = text.replace("SeServiceLogonRight = Guest\r\n", "");
        let done = imported(TEMPLATE, &text, &rows, &["--exclusive"]);
        assert!(done.text.contains("*S-1-5-32-544,*S-1-5-11,*S-1-5-21-"), "{}", done.text);
        // And a principal of the source may become one that is the same in every domain.
        let rows = [("Unknown", "Backup Operators", set("S-1-5-32-580"))];
        let done = imported(TEMPLATE, &text, &rows, &[]);
        assert!(done.text.contains("*S-1-5-11,*S-1-5-32-580,*S-1-1-0"), "{}", done.text);
    }
}

case! {
    fn aliases_in_sddl_are_left_alone(src, dst) {
        let text = src.text(&format!(
            "{HEAD}[Registry Keys]\r\n\"MACHINE\\SOFTWARE\\A\",0,\"O:DAG:DUD:PAR(A;CI;KA;;;DA)(A;CI;KR;;;DU)(A;CI;KA;;;{{Domain Admins}})(A;CI;KR;;;EA)\"\r\n"
        ));
        let rows = [
            ("GlobalGroup", "Domain Admins@src.test", set("Server Admins@dst.test")),
            ("GlobalGroup", "Domain Users@src.test", none()),
        ];
        let done = imported(TEMPLATE, &text, &rows, &[]);
        assert_eq!(
            done.text,
            dst.text(&format!(
                "{HEAD}[Registry Keys]\r\n\"MACHINE\\SOFTWARE\\A\",0,\"O:DAG:DUD:PAR(A;CI;KA;;;DA)(A;CI;KR;;;DU)(A;CI;KA;;;{{Server Admins}})(A;CI;KR;;;EA)\"\r\n"
            ))
        );
    }
}

case! {
    fn destination_none_can_empty_a_list_with_a_warning(src, _dst) {
        let text = src.text(&format!(
            "{HEAD}[Privilege Rights]\r\nSeBatchLogonRight = *{{Helpdesk}}\r\nSeServiceLogonRight = *{{Helpdesk}},*S-1-5-32-544\r\nSeTcbPrivilege =\r\n"
        ));
        let done = imported(TEMPLATE, &text, &[("GlobalGroup", "Helpdesk@src.test", none())], &[]);
        assert_eq!(
            done.text,
            format!(
                "{HEAD}[Privilege Rights]\r\nSeBatchLogonRight =\r\nSeServiceLogonRight = *S-1-5-32-544\r\nSeTcbPrivilege =\r\n"
            )
        );
        let message = done.message("empty-list");
        assert_eq!(message["severity"], "warning");
        assert_eq!(message["place"]["key"], "SeBatchLogonRight");
    }
}

case! {
    fn destination_none_deletes_an_ace(src, _dst) {
        let text = src.text(&format!(
            "{HEAD}[Service General Setting]\r\n\"Spooler\",4,\"D:AR(A;;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;BA)(A;;RPWPLC;;;{{Helpdesk}})(D;;RP;;;{{Helpdesk}})S:(AU;FA;CCDC;;;WD)(AU;SA;RP;;;{{Helpdesk}})\"\r\n"
        ));
        let done = imported(TEMPLATE, &text, &[("GlobalGroup", "Helpdesk@src.test", none())], &[]);
        assert_eq!(
            done.text,
            format!(
                "{HEAD}[Service General Setting]\r\n\"Spooler\",4,\"D:AR(A;;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;BA)S:(AU;FA;CCDC;;;WD)\"\r\n"
            )
        );
    }
}

/// Two users of one redirected folder, and one of another.
fn redirected(src: &Accounts) -> String {
    let documents = "{FDD39AD0-238F-46AF-ADB4-6C85480369C7}";
    let desktop = "{B4BFCC3A-DB2C-424C-B029-7FE99A87C641}";
    let sid = |name: &str| src.sid(name).replace('S', "s");
    let (helpdesk, admins) = (sid("Helpdesk"), sid("Server Admins"));
    format!(
        "[version]\r\nversion=100\r\n[Folder_Redirection]\r\n{documents}={helpdesk};{admins};\r\n{desktop}={admins};\r\n\
         [{documents}_{helpdesk}]\r\nFlags=1029\r\nFullPath=\\\\fs1\\h$\\%USERNAME%\r\n\
         [{documents}_{admins}]\r\nFlags=1029\r\nFullPath=\\\\fs1\\a$\\%USERNAME%\r\n\
         [{desktop}_{admins}]\r\nFlags=1029\r\nFullPath=\\\\fs1\\d$\\%USERNAME%\r\n"
    )
}

case! {
    fn destination_none_deletes_a_redirection(src, dst) {
        let rows = [
            ("GlobalGroup", "Helpdesk@src.test", none()),
            ("UniversalGroup", "Server Admins@src.test", relative()),
        ];
        let done = imported(FDEPLOY, &redirected(src), &rows, &[]);
        let admins = dst.sid("Server Admins").replace('S', "s");
        let documents = "{FDD39AD0-238F-46AF-ADB4-6C85480369C7}";
        let desktop = "{B4BFCC3A-DB2C-424C-B029-7FE99A87C641}";
        assert_eq!(
            done.text,
            format!(
                "[version]\r\nversion=100\r\n[Folder_Redirection]\r\n{documents}={admins};\r\n{desktop}={admins};\r\n\
                 [{documents}_{admins}]\r\nFlags=1029\r\nFullPath=\\\\fs1\\a$\\%USERNAME%\r\n\
                 [{desktop}_{admins}]\r\nFlags=1029\r\nFullPath=\\\\fs1\\d$\\%USERNAME%\r\n"
            )
        );
    }
}

case! {
    fn two_redirections_that_become_one_are_refused(src, dst) {
        let rows = [
            ("GlobalGroup", "Helpdesk@src.test", set("Support@dst.test")),
            ("UniversalGroup", "Server Admins@src.test", set(r"DST\Support")),
        ];
        let said = refused(FDEPLOY, &redirected(src), &rows, &[]);
        let message = one(said["messages"].as_array().unwrap(), "colliding-sections");
        let text = message["text"].as_str().unwrap();
        for sid in [src.sid("Helpdesk"), src.sid("Server Admins"), dst.sid("Support")] {
            assert!(text.contains(sid), "{text}");
        }
        assert!(message["place"]["file"].as_str().unwrap().ends_with("fdeploy1.ini"));
        assert!(message["place"]["line"].is_number());
    }
}

case! {
    fn destination_none_for_a_group_deletes_its_memberships(src, dst) {
        let text = src.text(&format!(
            "{HEAD}[Group Membership]\r\n*{{Helpdesk}}__Memberof = *S-1-5-32-544\r\n*{{Helpdesk}}__Members = *{{alice}}\r\n*{{Server Admins}}__Members = *{{Helpdesk}},*{{alice}}\r\n"
        ));
        let rows = [
            ("GlobalGroup", "Helpdesk@src.test", none()),
            ("User", "alice@src.test", relative()),
            ("UniversalGroup", "Server Admins@src.test", relative()),
        ];
        let done = imported(TEMPLATE, &text, &rows, &[]);
        assert_eq!(
            done.text,
            dst.text(&format!("{HEAD}[Group Membership]\r\n*{{Server Admins}}__Members = *{{alice}}\r\n"))
        );
        let removed: Vec<&Value> = done
            .messages
            .iter()
            .filter(|message| message["code"] == "setting-removed")
            .collect();
        assert_eq!(removed.len(), 2, "{:#?}", done.messages);
    }
}

case! {
    fn every_form_of_a_name_is_found_and_written_as_the_setting_needs_it(src, dst) {
        // GptTmpl.inf accepts names, but a client of the target can misinterpret everything except a SID.
        let text = src.text(&format!(
            "{HEAD}[Privilege Rights]\r\nSeBatchLogonRight = SRC\\bob,src.test\\carol,Helpdesk@src.test,*{{alice}},LocalThing\r\n\
             [Group Membership]\r\nSRC\\Helpdesk__Members = SRC\\bob,*{{alice}}\r\n\
             [Registry Values]\r\nMACHINE\\A\\B=1,\"O:BAG:BAD:(A;;RC;;;{{Helpdesk}})\"\r\n"
        ));
        let rows = [
            ("User", "bob@src.test", set("dave@dst.test")),
            ("User", "carol@src.test", relative()),
            ("User", "alice@src.test", set(r"DST\alice")),
            ("GlobalGroup", "Helpdesk@src.test", set("Support")),
            ("Unknown", "LocalThing", set("OtherThing")),
        ];
        let done = imported(TEMPLATE, &text, &rows, &[]);
        assert_eq!(
            done.text,
            dst.text(&format!(
                "{HEAD}[Privilege Rights]\r\nSeBatchLogonRight = *{{dave}},*{{carol}},*{{Support}},*{{alice}},OtherThing\r\n\
                 [Group Membership]\r\n*{{Support}}__Members = *{{dave}},*{{alice}}\r\n\
                 [Registry Values]\r\nMACHINE\\A\\B=1,\"O:BAG:BAD:(A;;RC;;;{{Support}})\"\r\n"
            ))
        );
        assert_eq!(done.message("destination-text")["severity"], "warning");
    }
}

case! {
    fn a_missing_destination_fails_before_any_write(src, _dst) {
        let text = src.text(&format!(
            "{HEAD}[Privilege Rights]\r\nSeBatchLogonRight = *{{Helpdesk}},*{{carol}},*{{alice}}\r\n"
        ));
        let rows = [
            ("User", "carol@src.test", relative()),
            ("GlobalGroup", "Helpdesk@src.test", set("Nobody Here@dst.test")),
            ("User", "alice@src.test", set(r"THIRD\alice")),
        ];
        let said = refused(TEMPLATE, &text, &rows, &[]);
        let messages = said["messages"].as_array().unwrap();
        let message = one(messages, "destination-not-found");
        assert!(message["text"].as_str().unwrap().contains("Nobody Here@dst.test"));
        assert_eq!(message["place"]["line"], 8);
        assert_eq!(one(messages, "destination-other-domain")["place"]["line"], 13);
    }
}

case! {
    fn a_relative_name_that_does_not_exist_fails_with_its_place(src, _dst) {
        let text = src.text(&format!("{HEAD}[Privilege Rights]\r\nSeBatchLogonRight = *{{bob}}\r\n"));
        let said = refused(TEMPLATE, &text, &[("User", "bob@src.test", relative())], &[]);
        let message = one(said["messages"].as_array().unwrap(), "destination-not-found");
        assert!(message["text"].as_str().unwrap().contains("bob"), "{message}");
        assert_eq!(message["place"]["key"], "SeBatchLogonRight");
    }
}

case! {
    fn the_same_import_twice_gives_the_same_bytes(src, dst) {
        let text = src.text(&format!(
            "{HEAD}[Privilege Rights]\r\nSeBatchLogonRight = *{{Helpdesk}},*{{carol}}\r\n"
        ));
        let rows = [
            ("GlobalGroup", "Helpdesk@src.test", set("Support@dst.test")),
            ("User", "carol@src.test", relative()),
        ];
        let one = imported(TEMPLATE, &text, &rows, &[]);
        let two = imported(TEMPLATE, &text, &rows, &[]);
        assert_eq!(one.text, two.text);
        assert!(one.text.contains(dst.sid("Support")));
    }
}
